"""Numbers that say what an image shows: the inner layer of a small network trained on the data set itself.

The Fréchet distance is mostly taken in the features of Inception, which has learnt photographs (Heusel et
al. 2017). These know little of digits or medical slides, and are a download of 90 MB. So the features come
from a small network that learns the data set at hand: its classes, or, where there is no label, by how much
an image was rotated (Gidaris et al. 2018, https://arxiv.org/abs/1803.07728). Distances in them can be
compared between models of one data set, and not between data sets.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from safetensors.numpy import load, save

from jobs.context import JobContext
from jobs.datasets.images import ImageSet
from jobs.errors import Stopped

Array = np.ndarray[Any, Any]
Task = Literal["classes", "rotations"]

#: Length of a feature vector. 2,000 images determine the covariance of 64 numbers well.
FEATURES = 64
LEARNING_RATE = 2e-3
#: Enough for 97 % on the digits of mnist-5k; the time is the same for every data set of a size of image.
STEPS = 500
TRAINING_BATCH = 128
#: Images in one call, always: the network is traced once.
BATCH = 256
#: Of the images, one in so many is held out of training, and at most so many, to measure the accuracy.
HELD_OUT_ONE_IN, MOST_HELD_OUT = 10, 2_000
#: Fixed, so that all jobs on a data set share one network.
SEED = 0
QUARTER_TURNS = 4


@dataclass(frozen=True)
class Seen:
    """What the network sees in some images.

    Attributes:
        features: float32 (count, FEATURES).
        answers: int64 (count,), the class (or the number of quarter turns) that it takes each for.
    """

    features: Array
    answers: Array


class FeatureNetwork:
    """A trained network.

    Attributes:
        task: what it has learnt to tell.
        accuracy: share of right answers for images that it was not trained on; None for fewer than ten.
    """

    def __init__(self, network: keras.Model, task: Task, accuracy: float | None = None) -> None:
        self.task = task
        self.accuracy = accuracy
        self._look = tf.function(lambda images: network(_square(images), training=False))

    def see(self, images: Array) -> Seen:
        """Looks at uint8 (count, height, width, channels)."""
        features, answers = [], []
        for first in range(0, len(images), BATCH):
            part = images[first : first + BATCH]
            padded = np.zeros((BATCH, *images.shape[1:]), np.uint8)
            padded[: len(part)] = part
            inner, logits = self._look(tf.constant(padded))
            features.append(np.asarray(inner)[: len(part)])
            answers.append(np.asarray(logits)[: len(part)].argmax(axis=1))
        return Seen(np.concatenate(features), np.concatenate(answers))


def feature_network(data: ImageSet, context: JobContext) -> FeatureNetwork:
    """The network of a data set: trained at the first call, and kept in the context's cache from then on.

    Raises:
        Stopped: asked to stop while it was being trained.
    """
    content = context.cached(f"features/{data.digest}-{_version()}.safetensors", lambda: _made(data, context))
    arrays = load(content)
    about = json.loads(arrays.pop("about").tobytes())
    network = _network(data.shape, about["outputs"])
    network.set_weights([arrays[name] for name in sorted(arrays)])
    return FeatureNetwork(network, about["task"], about["accuracy"])


def _version() -> str:
    """Changes with this file, whose networks another version of it must not take for its own."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]


def _made(data: ImageSet, context: JobContext) -> bytes:
    """Trains the network, and writes its weights and what is known of it."""
    labels, outputs, task = _to_tell(data)
    network = _network(data.shape, outputs)
    order = np.random.Generator(np.random.Philox(SEED)).permutation(len(data))
    held_out = min(len(data) // HELD_OUT_ONE_IN, MOST_HELD_OUT)
    _train(network, data.images, labels, order[held_out:], context)
    accuracy = _accuracy(network, data.images, labels, order[:held_out]) if held_out else None
    about = json.dumps({"task": task, "outputs": outputs, "accuracy": accuracy}).encode()
    arrays = {
        f"{number:03d}": np.asarray(tf.identity(weight.value))
        for number, weight in enumerate(network.weights)
    }
    return bytes(save({**arrays, "about": np.frombuffer(about, np.uint8)}))


def _to_tell(data: ImageSet) -> tuple[Array | None, int, Task]:
    """Labels, number of answers and task. One class alone is nothing to tell."""
    if data.labels is not None and len(np.unique(data.labels)) > 1:
        return data.labels, len(data.class_names), "classes"
    return None, QUARTER_TURNS, "rotations"


def _network(shape: tuple[int, int, int], outputs: int) -> keras.Model:
    """From (batch, side, side, channels) in [-1, 1] to (features (batch, FEATURES), logits (batch, outputs)).

    Every weight has a seed of its own: Keras's global one, on which the weights of the model that is being
    judged depend, is not touched.
    """
    side = max(shape[:2])
    images = keras.Input((side, side, shape[2]), name="images")
    # A stride for large images, where the first layer would take most of the time.
    hidden = _convolution(images, 32, 1, stride=2 if side > 40 else 1)
    stage = 2
    while stage == 2 or hidden.shape[1] > 8:
        hidden = keras.layers.MaxPooling2D(2, padding="same", name=f"half_{stage}")(hidden)
        hidden = _convolution(hidden, 64, stage)
        stage += 1
    flat = keras.layers.Flatten(name="flat")(hidden)
    features = _dense(flat, FEATURES, "features", 101, keras.layers.LeakyReLU(0.2, name="leaky"))
    return keras.Model(images, [features, _dense(features, outputs, "logits", 102)], name="feature_network")


def _convolution(inputs: Any, filters: int, stage: int, stride: int = 1) -> Any:
    return keras.layers.Conv2D(
        filters,
        3,
        stride,
        padding="same",
        activation="relu",
        kernel_initializer=keras.initializers.HeNormal(seed=stage),
        name=f"convolution_{stage}",
    )(inputs)


def _dense(inputs: Any, units: int, name: str, seed: int, activation: Any = None) -> Any:
    start = keras.initializers.GlorotUniform(seed=seed)
    return keras.layers.Dense(units, activation, kernel_initializer=start, name=name)(inputs)


def _train(
    network: keras.Model, images: Array, labels: Array | None, rows: Array, context: JobContext
) -> None:
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, STEPS))
    optimizer.build(network.trainable_variables)

    @tf.function
    def update(batch: tf.Tensor, targets: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            logits = network(batch, training=True)[1]
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        weights = network.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)

    random = np.random.Generator(np.random.Philox([SEED, 1]))
    for step in range(STEPS):
        if step % 50 == 0 and (reason := context.should_stop()) is not None:
            raise Stopped(f"stopped at step {step} of {STEPS} of the feature network: {reason}")
        update(*_questions(images, labels, random.choice(rows, TRAINING_BATCH), random))


def _questions(
    images: Array, labels: Array | None, rows: Array, random: np.random.Generator
) -> tuple[tf.Tensor, tf.Tensor]:
    """A batch of images to be told apart, and the right answers."""
    batch = _square(tf.constant(images[rows]))
    if labels is not None:
        return batch, tf.constant(labels[rows])
    turns = random.integers(0, QUARTER_TURNS, len(rows))
    turned = np.stack([np.rot90(image, turn) for image, turn in zip(batch.numpy(), turns, strict=True)])
    return tf.constant(turned), tf.constant(turns)


def _accuracy(network: keras.Model, images: Array, labels: Array | None, rows: Array) -> float:
    """Share of right answers; float in [0, 1]."""
    random = np.random.Generator(np.random.Philox([SEED, 2]))
    right = 0
    for first in range(0, len(rows), BATCH):
        batch, answers = _questions(images, labels, rows[first : first + BATCH], random)
        right += int((np.asarray(network(batch)[1]).argmax(axis=1) == answers.numpy()).sum())
    return right / len(rows)


def _square(images: tf.Tensor) -> tf.Tensor:
    """From uint8 to [-1, 1], stretched to a square, of which a quarter turn does not change the shape."""
    scaled = tf.cast(images, tf.float32) / 127.5 - 1.0  # (batch, height, width, channels)
    height, width = images.shape[1:3]
    side = max(height, width)
    return scaled if height == width else tf.image.resize(scaled, (side, side))
