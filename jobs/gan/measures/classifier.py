"""A small convolutional classifier of images of any size, trained in a fixed number of steps."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.context import JobContext
from jobs.errors import Stopped
from jobs.gan.measures.questions import Questions

Array = np.ndarray[Any, Any]

#: Length of a feature vector. 2,000 images determine the covariance of 64 numbers well.
FEATURES = 64
#: Enough for 98 % on the digits of mnist-5k; the time is the same for every data set of a size of image.
STEPS = 500
TRAINING_BATCH = 128
LEARNING_RATE = 2e-3
#: Images in one call outside of training.
BATCH = 256
#: Whatever the policy of the model that is being trained at the same time.
FLOAT32 = "float32"


def build(shape: tuple[int, int, int], answers: Sequence[int], seed: int) -> keras.Model:
    """From (batch, side, side, channels) in [-1, 1] to features (batch, FEATURES), and logits.

    These are (batch, answers) for each question, which has an equal share of the features to itself: one that
    is easy would otherwise leave the others little of them.

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
    shares, logits = [], []
    for number, count in enumerate(answers):
        leaky, first = keras.layers.LeakyReLU(0.2, dtype=FLOAT32), first + 100
        shares.append(_dense(flat, FEATURES // len(answers), f"features_{number}", first + 1, leaky))
        logits.append(_dense(shares[-1], count, f"logits_{number}", first + 2))
    features = keras.layers.Concatenate(dtype=FLOAT32, name="features")(shares) if shares[1:] else shares[0]
    return keras.Model(images, [features, *logits], name="feature_network")


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
    questions: Questions,
    rows: Array,
    seed: int,
    context: JobContext,
) -> None:
    """Trains on some rows of uint8 images (count, height, width, channels).

    Raises:
        Stopped: asked to stop.
    """
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, STEPS))
    optimizer.build(network.trainable_variables)

    @tf.function(autograph=False)
    def update(batch: tf.Tensor, right: Sequence[tf.Tensor]) -> None:
        with tf.GradientTape() as tape:
            _, *found = network(batch, training=True)
            losses = map(tf.nn.sparse_softmax_cross_entropy_with_logits, right, found)
            loss = tf.add_n([tf.reduce_mean(each) for each in losses])
        weights = network.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)

    random = np.random.Generator(np.random.Philox([seed, 1]))
    for step in range(STEPS):
        if step % 50 == 0 and (reason := context.should_stop()) is not None:
            raise Stopped(f"stopped at step {step} of {STEPS} of a classifier: {reason}")
        update(*questions.asked(images, random.choice(rows, TRAINING_BATCH), random))


def accuracy(network: keras.Model, images: Array, questions: Questions, rows: Array) -> float:
    """Share of right answers, the mean over the questions; float in [0, 1]."""
    random = np.random.Generator(np.random.Philox([0, 2]))
    right = 0
    for first in range(0, len(rows), BATCH):
        batch, answers = questions.asked(images, rows[first : first + BATCH], random)
        _, *found = network(batch)
        for wanted, logits in zip(answers, found, strict=True):
            right += int((np.asarray(logits).argmax(axis=1) == wanted.numpy()).sum())
    return right / (len(rows) * len(questions.answers))
