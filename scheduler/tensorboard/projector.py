"""Embeddings that a job has left, with labels and pictures, as TensorBoard's projector shows them."""

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from jobs.datasets.images import named
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import TriptychError
from scheduler.artifacts import ArtifactStore
from scheduler.job import Job
from scheduler.keys import DataSetKeys

Array = np.ndarray[Any, Any]

#: Points that a browser moves smoothly, drawn by a fixed seed where there are more.
MOST_POINTS = 5_000
#: Pixels of the side of the image that holds all pictures, which graphics cards take.
_SPRITE = 8_192
_FILE = "embeddings.npz"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Points:
    """What the projector shows.

    Attributes:
        embeddings: float32 (points, numbers).
        rows: of the data set, int64 (points,).
        labels: by point; empty if there are none.
        pictures: float32 (points, 3, side, side) from 0 to 1; None if there are none.
    """

    embeddings: Array
    rows: Array
    labels: Sequence[str]
    pictures: Array | None

    def metadata(self) -> tuple[Sequence[Any], Sequence[str] | None]:
        """A name for each point, and the names of the columns if there are several."""
        if not self.labels:
            return [f"row {row}" for row in self.rows], None
        return [[label, str(row)] for label, row in zip(self.labels, self.rows, strict=True)], [
            "label",
            "row",
        ]


def points_of(job: Job[Any], store: ArtifactStore) -> Points | None:
    """The embeddings that a job has left; None if it has left none."""
    if _FILE not in job.artifacts():
        return None
    with np.load(io.BytesIO(job.artifact(_FILE)), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    embeddings = arrays["embeddings"]
    rows = np.arange(len(embeddings))
    if len(rows) > MOST_POINTS:
        rows = np.sort(np.random.default_rng(0).choice(len(rows), MOST_POINTS, replace=False))
    names = [str(name) for name in arrays.get("class_names", ())]
    labels = (
        [names[label] if names else str(label) for label in arrays["labels"][rows]]
        if "labels" in arrays
        else []
    )
    return Points(embeddings[rows].astype(np.float32), rows, labels, _pictures(job, store, rows))


def _pictures(job: Job[Any], store: ArtifactStore, rows: Array) -> Array | None:
    name = job.record.spec.get("dataset")
    if not isinstance(name, str):
        return None
    try:
        images = _images(name, job.record.inputs.get(name), store)
    except (TriptychError, KeyError, ImportError) as error:  # texts, or a package that is not installed here
        log.info("the points of job %s have no pictures: %s", job.id, error)
        return None
    height, width = images.shape[:2]
    side = max(height, width)
    if side * int(np.ceil(np.sqrt(len(rows)))) > _SPRITE:
        return None
    square = np.zeros((len(rows), 3, side, side), np.float32)
    pixels = (
        np.asarray(images.images)[rows][..., :3].astype(np.float32) / 255.0
    )  # (points, height, width, channels)
    square[:, :, :height, :width] = np.moveaxis(pixels, -1, 1)
    return square


def _images(name: str, digest: str | None, store: ArtifactStore) -> ImageSet:
    if digest is None:
        return named.load(name)
    with TemporaryDirectory(prefix="triptych-") as folder:
        path = Path(folder) / "images.npz"
        store.get_file(DataSetKeys(name).content(digest), path)
        return ImageSet.read(path)
