"""A trained network that stays in memory between jobs, and images as it takes them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from jobs.context import JobContext
from jobs.datasets.images.fitting import fitted
from jobs.datasets.images.image_set import ImageSet
from jobs.pretrained.sources import folder_of
from jobs.training import machine
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.vision.folders.reading import read_folder
from jobs.transformer.vision.learner import ROWS, rows_of
from jobs.transformer.vision.networks.network import Network
from jobs.transformer.vision.networks.plan import Plan
from jobs.transformer.vision.train import WEIGHTS
from jobs.transformer.vision.uses import Asking

Array = np.ndarray[Any, Any]

#: Images of a window, which are written at once: a multiple of `ROWS`.
BLOCK = 16 * ROWS


@dataclass(frozen=True)
class Classifier:
    """Tells classes of images apart.

    Attributes:
        plan: of the network; it has the names of the classes.
        data: digest of the data set that it was trained on; empty of a checkpoint.
        run: from uint8 (rows, height, width, channels) to logits, float32 (rows, classes); see `rows_of`.
    """

    plan: Plan
    data: str
    run: Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Stretch:
    """Consecutive images that are computed one after the other.

    Attributes:
        first: number of the first.
        end: number after the last one.
    """

    first: int
    end: int


def choice_of(precision: str) -> Choice:
    """What computes here."""
    return Choice("tensorflow", machine.precision(precision))


def classifier(spec: Asking[Any], size: tuple[int, int], choice: Choice, context: JobContext) -> Classifier:
    """The network that a spec names.

    Args:
        spec: of the job.
        size: of the images, (height, width), which a checkpoint's positions are interpolated for.
        choice: what computes.
        context: has the job's files, and keeps the network in memory.

    Raises:
        BadInput: its files are not there, or damaged, or of a network that is not computed here.
    """
    kind = tf.bfloat16 if choice.precision == "bfloat16" else tf.float32
    if spec.model is not None:
        job_id = spec.model

        def load() -> tuple[Classifier, int]:
            path = context.artifact_of(job_id, WEIGHTS)
            network, data = Network.read(path, f"job {job_id}")
            return running(network, data, kind), 2 * path.stat().st_size

        return context.in_memory(f"vision {choice} {context.digest_of(job_id, WEIGHTS)}", load)
    folder = folder_of(spec.pretrained or "", context)

    def read() -> tuple[Classifier, int]:
        network = read_folder(folder, size)
        return running(network, "", kind), 2 * (folder / WEIGHTS).stat().st_size

    files = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    about = [(name, each.st_size, each.st_mtime_ns) for name, each in files]
    return context.in_memory(f"vision {choice} {size} {folder.resolve()} {about}", read)


def running(network: Network, data: str, kind: tf.DType) -> Classifier:
    """A network that computes in a type, with the digest of what it was trained on."""
    shape = network.plan.shape
    signature = [tf.TensorSpec((rows_of(shape), *shape), tf.uint8)]

    @tf.function(input_signature=signature, autograph=False)
    def run(images: tf.Tensor) -> tf.Tensor:
        return network.logits(tf.cast(images, tf.float32) / 255.0, kind)

    return Classifier(network.plan, data, run)


def computed(
    model: Classifier, data: ImageSet, name: str, rows: Array | range, go_on: Callable[[int], bool]
) -> Iterator[tuple[Stretch, Array]]:
    """Logits of images, window by window, float32 (images, classes) each.

    Args:
        model: what computes.
        data: the images.
        name: of the data set, for errors.
        rows: numbers of the images, ascending; the first one begins a window.
        go_on: called with the images done so far after each batch; it ends where that says False.

    Raises:
        BadInput: the images are of another size than the model takes.
    """
    size = rows_of(model.plan.shape)
    for begin in range(0, len(rows), BLOCK):
        chosen, parts = rows[begin : begin + BLOCK], []
        for first in range(0, len(chosen), size):
            images = fitted(_taken(data, chosen[first : first + size]), model.plan.shape, name)
            padded = np.zeros((size, *model.plan.shape), np.uint8)
            padded[: len(images)] = images
            parts.append(np.asarray(model.run(tf.constant(padded)))[: len(images)])
            if not go_on(begin + first + len(images)):
                break
        logits = np.concatenate(parts)
        if len(logits) < len(chosen):
            return  # a window that is not whole is computed again
        yield Stretch(int(chosen[0]), int(chosen[-1]) + 1), logits


def _taken(data: ImageSet, rows: Array | range) -> Array:
    # Of rows one after the other a view, which reads no more of a file than these.
    return data.images[rows.start : rows.stop] if isinstance(rows, range) else data.images[rows]
