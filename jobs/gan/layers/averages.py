"""The running average of a network's weights, which draws better than any one step's (Yazici et al. 2018)."""

import keras
import tensorflow as tf


def follow(average: keras.Model, network: keras.Model, decay: float, step: tf.Tensor) -> None:
    """Moves the running average by a little: by more at first, so that it forgets how it began.

    Args:
        average: of the same layers as the network.
        network: in training.
        decay: share of the average that stays, in the long run.
        step: int64 (), the number of the step.
    """
    done = tf.cast(step, tf.float32)
    kept = tf.minimum(decay, (1.0 + done) / (10.0 + done))
    for mean, weight in zip(average.weights, network.weights, strict=True):
        mean.assign(mean + (1.0 - kept) * (weight - mean))
