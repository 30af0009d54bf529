"""A trained network that stays in memory between jobs, and images as it takes them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.context import JobContext
from jobs.datasets.images.fitting import fitted
from jobs.datasets.images.image_set import ImageSet
from jobs.pretrained.sources import folder_of
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.vision.engines.engine import Engine, engine_of
from jobs.transformer.vision.folders.reading import read_folder
from jobs.transformer.vision.learner import ROWS
from jobs.transformer.vision.networks.network import Network
from jobs.transformer.vision.networks.plan import Plan
from jobs.transformer.vision.train import WEIGHTS
from jobs.transformer.vision.uses import Asking

Array = np.ndarray[Any, Any]

#: Images of a window, which are written at once: a multiple of the images of a call.
BLOCK = 16 * ROWS


@dataclass(frozen=True)
class Classifier:
    """Tells classes of images apart.

    Attributes:
        plan: of the network; it has the names of the classes.
        data: digest of the data set that it was trained on; empty of a checkpoint.
        engine: computes logits.
    """

    plan: Plan
    data: str
    engine: Engine


@dataclass(frozen=True)
class Stretch:
    """Consecutive images that are computed one after the other.

    Attributes:
        first: number of the first.
        end: number after the last one.
    """

    first: int
    end: int


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
    if spec.model is not None:
        job_id = spec.model

        def load() -> tuple[Classifier, int]:
            path = context.artifact_of(job_id, WEIGHTS)
            network, data = Network.read(path, f"job {job_id}")
            return Classifier(network.plan, data, engine_of(network, choice)), 2 * path.stat().st_size

        return context.in_memory(f"vision {choice} {context.digest_of(job_id, WEIGHTS)}", load)
    folder = folder_of(spec.pretrained or "", context)

    def read() -> tuple[Classifier, int]:
        network = read_folder(folder, size)
        return Classifier(network.plan, "", engine_of(network, choice)), 2 * (folder / WEIGHTS).stat().st_size

    files = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    about = [(name, each.st_size, each.st_mtime_ns) for name, each in files]
    return context.in_memory(f"vision {choice} {size} {folder.resolve()} {about}", read)


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
    for begin in range(0, len(rows), BLOCK):
        chosen, parts, done = rows[begin : begin + BLOCK], list[Array](), 0
        for logits in model.engine.run(_batches(model, data, name, chosen)):
            parts.append(logits[: len(chosen) - done])
            done = min(done + len(logits), len(chosen))
            if not go_on(begin + done):
                break
        if done < len(chosen):
            return  # a window that is not whole is computed again
        yield Stretch(int(chosen[0]), int(chosen[-1]) + 1), np.concatenate(parts)


def _batches(model: Classifier, data: ImageSet, name: str, rows: Array | range) -> Iterator[Array]:
    """Images in batches as the engine takes them, the last one filled up with black ones."""
    size, shape = model.engine.rows, model.plan.shape
    for first in range(0, len(rows), size):
        images = fitted(_taken(data, rows[first : first + size]), shape, name)
        batch = np.zeros((size, *shape), np.uint8)
        batch[: len(images)] = images
        yield batch


def _taken(data: ImageSet, rows: Array | range) -> Array:
    # Of rows one after the other a view, which reads no more of a file than these.
    return data.images[rows.start : rows.stop] if isinstance(rows, range) else data.images[rows]
