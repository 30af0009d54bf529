"""A small convolutional classifier of images of any size, trained in a fixed number of steps.

Without labels it learns by how many quarter turns an image was rotated (Gidaris et al. 2018,
https://arxiv.org/abs/1803.07728), which needs much of what tells images apart.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.context import JobContext
from jobs.errors import Stopped

Array = np.ndarray[Any, Any]

#: Length of a feature vector. 2,000 images determine the covariance of 64 numbers well.
FEATURES = 64
#: Enough for 98 % on the digits of mnist-5k; the time is the same for every data set of a size of image.
STEPS = 500
TRAINING_BATCH = 128
LEARNING_RATE = 2e-3
#: Images in one call outside of training.
BATCH = 256
QUARTER_TURNS = 4
#: Whatever the policy of the model that is being trained at the same time.
FLOAT32 = "float32"


def build(shape: tuple[int, int, int], outputs: int, seed: int) -> keras.Model:
    """From (batch, side, side, channels) in [-1, 1] to (features (batch, FEATURES), logits (batch, outputs)).

    Every weight has a seed of its own: Keras's global one, on which the weights of the model that is being
    judged depend, is not touched.
    """
    side = max(shape[:2])
    first = 1_000 * (seed % 1_000_000)
    images = keras.Input((side, side, shape[2]), name="images")
    # A stride for large images, where the first layer would take most of the time.
    hidden = _convolution(images, 32, 1, first, stride=2 if side > 40 else 1)
    stage = 2
    while stage == 2 or hidden.shape[1] > 8:
        hidden = keras.layers.MaxPooling2D(2, padding="same", dtype=FLOAT32, name=f"half_{stage}")(hidden)
        hidden = _convolution(hidden, 64, stage, first)
        stage += 1
    flat = keras.layers.Flatten(dtype=FLOAT32, name="flat")(hidden)
    features = _dense(flat, FEATURES, "features", first + 101, keras.layers.LeakyReLU(0.2, dtype=FLOAT32))
    return keras.Model(
        images, [features, _dense(features, outputs, "logits", first + 102)], name="feature_network"
    )


def _convolution(inputs: Any, filters: int, stage: int, seed: int, stride: int = 1) -> Any:
    return keras.layers.Conv2D(
        filters,
        3,
        stride,
        padding="same",
        activation="relu",
        kernel_initializer=keras.initializers.HeNormal(seed=seed + stage),
        dtype=FLOAT32,
        name=f"convolution_{stage}",
    )(inputs)


def _dense(inputs: Any, units: int, name: str, seed: int, activation: Any = None) -> Any:
    start = keras.initializers.GlorotUniform(seed=seed)
    return keras.layers.Dense(units, activation, kernel_initializer=start, dtype=FLOAT32, name=name)(inputs)


def train(
    network: keras.Model,
    images: Array,
    labels: Array | None,
    rows: Array,
    seed: int,
    context: JobContext,
) -> None:
    """Trains on some rows of uint8 images (count, height, width, channels) and of their labels (count,).

    Raises:
        Stopped: asked to stop.
    """
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, STEPS))
    optimizer.build(network.trainable_variables)

    @tf.function(autograph=False)
    def update(batch: tf.Tensor, targets: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            logits = network(batch, training=True)[1]
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        weights = network.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)

    random = np.random.Generator(np.random.Philox([seed, 1]))
    for step in range(STEPS):
        if step % 50 == 0 and (reason := context.should_stop()) is not None:
            raise Stopped(f"stopped at step {step} of {STEPS} of a classifier: {reason}")
        update(*_questions(images, labels, random.choice(rows, TRAINING_BATCH), random))


def _questions(
    images: Array, labels: Array | None, rows: Array, random: np.random.Generator
) -> tuple[tf.Tensor, tf.Tensor]:
    """A batch of images to be told apart, and the right answers."""
    batch = square(tf.constant(images[rows]))
    if labels is not None:
        return batch, tf.constant(labels[rows])
    turns = random.integers(0, QUARTER_TURNS, len(rows))
    turned = np.stack([np.rot90(image, turn) for image, turn in zip(batch.numpy(), turns, strict=True)])
    return tf.constant(turned), tf.constant(turns)


def accuracy(network: keras.Model, images: Array, labels: Array | None, rows: Array) -> float:
    """Share of right answers; float in [0, 1]."""
    random = np.random.Generator(np.random.Philox([0, 2]))
    right = 0
    for first in range(0, len(rows), BATCH):
        batch, answers = _questions(images, labels, rows[first : first + BATCH], random)
        right += int((np.asarray(network(batch)[1]).argmax(axis=1) == answers.numpy()).sum())
    return right / len(rows)


def square(images: tf.Tensor) -> tf.Tensor:
    """From uint8 to [-1, 1], stretched to a square, of which a quarter turn does not change the shape."""
    scaled = tf.cast(images, tf.float32) / 127.5 - 1.0  # (batch, height, width, channels)
    height, width = images.shape[1:3]
    side = max(height, width)
    return scaled if height == width else tf.image.resize(scaled, (side, side))
