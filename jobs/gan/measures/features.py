"""Numbers that say what an image shows: the inner layer of a small network trained on the data set itself.

The Fréchet distance is mostly taken in the features of Inception, which has learnt photographs (Heusel et
al. 2017). These know little of digits or medical slides, and are a download of 90 MB. So the features come
from a small network that learns the data set at hand: its classes, or, where there is no label, by how much
an image was rotated. Distances in them can be compared between models of one data set, and not between
data sets.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from safetensors.numpy import load, save

from jobs.context import JobContext
from jobs.datasets.images.image_set import ImageSet
from jobs.gan.measures import classifier, questions
from jobs.gan.measures.classifier import BATCH, FEATURES, accuracy, build, train
from jobs.gan.measures.questions import Questions, of_changes, square

Array = np.ndarray[Any, Any]

#: Of the images, one in so many is held out of training, and at most so many, to measure the accuracy.
HELD_OUT_ONE_IN, MOST_HELD_OUT = 10, 2_000
#: Images whose features tell their scale.
MOST_SCALED = 2_000
#: Fixed, so that all jobs on a data set share one network.
SEED = 0


@dataclass(frozen=True)
class Seen:
    """What the network sees in some images.

    Attributes:
        features: float32 (count, classifier.FEATURES), of variance 1 on average over the data set, and over
            the features of each question.
        answers: int64 (count,), the class (or the number of quarter turns) that it takes each for.
    """

    features: Array
    answers: Array


class FeatureNetwork:
    """A trained network.

    Attributes:
        task: what it has learnt to tell: classes, rotations, or rotations and colours.
        accuracy: share of right answers for images that it was not trained on; None for fewer than ten.
    """

    def __init__(
        self, network: keras.Model, task: str, accuracy: float | None = None, scales: Sequence[float] = (1.0,)
    ) -> None:
        self.task = task
        self.accuracy = accuracy
        self._scale = np.repeat(np.array(scales, np.float32), FEATURES // len(scales))
        self._look = tf.function(lambda images: network(square(images), training=False), autograph=False)

    def see(self, images: Array) -> Seen:
        """Looks at uint8 (count, height, width, channels)."""
        features, answers = [], []
        for first in range(0, len(images), BATCH):
            part = images[first : first + BATCH]
            padded = np.zeros((BATCH, *images.shape[1:]), np.uint8)
            padded[: len(part)] = part
            inner, logits, *_ = self._look(tf.constant(padded))
            features.append(self._scale * np.asarray(inner)[: len(part)])
            answers.append(np.asarray(logits)[: len(part)].argmax(axis=1))
        return Seen(np.concatenate(features), np.concatenate(answers))


def feature_network(data: ImageSet, context: JobContext) -> FeatureNetwork:
    """The network of a data set: trained at the first call, and kept in the context's cache from then on.

    Raises:
        Stopped: asked to stop while it was being trained.
    """
    name = f"features/{data.digest}-{_version()}.safetensors"
    return context.in_memory(name, lambda: _loaded(name, data, context))


def _loaded(name: str, data: ImageSet, context: JobContext) -> tuple[FeatureNetwork, int]:
    content = context.cached(name, lambda: _made(data, context))
    arrays = load(content)
    about = json.loads(arrays.pop("about").tobytes())
    network = build(data.shape, about["answers"], SEED)
    network.set_weights([arrays[name] for name in sorted(arrays)])
    return FeatureNetwork(network, about["task"], about["accuracy"], about["scales"]), len(content)


def _version() -> str:
    """Changes with the code, whose networks another version of it must not take for its own."""
    code = [Path(str(file)).read_bytes() for file in (__file__, classifier.__file__, questions.__file__)]
    return hashlib.sha256(b"".join(code)).hexdigest()[:16]


def _made(data: ImageSet, context: JobContext) -> bytes:
    """Trains the network, and writes its weights and what is known of it."""
    order = np.random.Generator(np.random.Philox(SEED)).permutation(len(data))
    asked = _asked(data, order)
    network = build(data.shape, asked.answers, SEED)
    held_out = min(len(data) // HELD_OUT_ONE_IN, MOST_HELD_OUT)
    train(network, data.images, asked, order[held_out:], SEED, context)
    share = accuracy(network, data.images, asked, order[:held_out]) if held_out else None
    scales = scales_of(network, asked, data.images[order[:MOST_SCALED]])
    about = json.dumps(
        {"task": asked.task, "answers": asked.answers, "accuracy": share, "scales": scales}
    ).encode()
    arrays = {
        f"{number:03d}": np.asarray(tf.identity(weight.value))
        for number, weight in enumerate(network.weights)
    }
    return bytes(save({**arrays, "about": np.frombuffer(about, np.uint8)}))


def scales_of(network: keras.Model, asked: Questions, images: Array) -> list[float]:
    """By what the features for each question are multiplied to have variance 1 on average over images.

    So distances are of the same size for every data set.
    """
    seen = FeatureNetwork(network, asked.task).see(images).features
    variances = seen.var(axis=0).reshape(len(asked.answers), -1).mean(axis=1)
    # Of equal images there is none.
    return [1.0 / max(float(np.sqrt(variance)), 1e-6) for variance in variances]


def _asked(data: ImageSet, order: Array) -> Questions:
    """One class alone is nothing to tell."""
    if data.labels is not None and len(np.unique(data.labels)) > 1:
        return Questions((len(data.class_names),), data.labels)
    return of_changes(data.images[order[:MOST_SCALED]])
