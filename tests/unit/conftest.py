"""Small data and a context in a folder, for tests that need no server."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from jobs.context import Progress, StopReason
from jobs.datasets.images import named
from jobs.datasets.images.image_set import ImageSet
from jobs.local import LocalContext

# TensorFlow greets every process with lines on stderr; it reads these before its first import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


class RecordingContext(LocalContext):
    """Keeps the reports, and asks to stop once so many chunks are done."""

    stop_after_chunks: int | None = None
    reason = StopReason.DRAIN

    def __init__(self, folder: Path, data: Mapping[str, Path] | None = None) -> None:
        super().__init__(folder, data)
        self.reports: list[Progress] = []
        self.asked = 0

    def report(self, progress: Progress) -> None:
        self.reports.append(progress)
        super().report(progress)

    def should_stop(self) -> StopReason | None:
        self.asked += 1
        return self.reason if self.asked == self.stop_after_chunks else None


@pytest.fixture(scope="session")
def cache_of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What jobs keep for others by the digest of all that it depends on: feature networks, above all.

    One folder for all processes of tests: what one of them has trained, the others need not.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of the folders of all processes
    (folder / "cache-of-all").mkdir(exist_ok=True)
    return folder / "cache-of-all"


@pytest.fixture(autouse=True)
def shared_cache(request: pytest.FixtureRequest, tmp_path: Path, cache_of_all: Path) -> None:
    """Jobs in the folder of a test of trainings find what those of earlier tests have made, and add to it."""
    if request.module.__name__.rpartition(".")[2].startswith(
        ("test_gan", "test_verification", "test_extending")
    ):
        (tmp_path / ".triptych-cache").symlink_to(cache_of_all)


@pytest.fixture(scope="session")
def fewer_pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A fifth of the pictures of `mnist-5k`, under its name, for tests that show the same in fewer steps."""
    images = named.load("mnist-5k")
    rows = np.arange(0, len(images), 5)
    path = tmp_path_factory.mktemp("fewer") / "mnist.npz"
    ImageSet(images.images[rows], images.labels[rows], images.class_names).write(path)
    return {"mnist-5k": path}


@pytest.fixture
def short_classifiers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Networks that judge images learn for a moment only, for tests of other things; kept for nobody else."""
    monkeypatch.setattr("jobs.gan.measures.classifier.STEPS", 20)
    if (tmp_path / ".triptych-cache").is_symlink():
        (tmp_path / ".triptych-cache").unlink()


@pytest.fixture
def tiny_images() -> ImageSet:
    """50 grey images of 6 x 5 pixels in two classes: bright left halves, bright right halves."""
    random = np.random.default_rng(1)
    labels = np.arange(50, dtype=np.int64) % 2
    images = random.integers(0, 60, (50, 6, 5, 1), dtype=np.uint8)
    images[labels == 0, :, :2] += 180
    images[labels == 1, :, 3:] += 180
    return ImageSet(images, labels, ("left", "right"))


@pytest.fixture
def tiny_data(tiny_images: ImageSet, tmp_path: Path) -> dict[str, Path]:
    """The tiny images as a data set named `tiny`, as `run_locally` takes it."""
    tiny_images.write(tmp_path / "tiny.npz")
    return {"tiny": tmp_path / "tiny.npz"}


@pytest.fixture
def context_that_stops() -> Iterator[Callable[..., type[RecordingContext]]]:
    """Makes a context that asks to stop at the end of the nth chunk."""

    def make(after_chunks: int | None) -> type[RecordingContext]:
        return type("Stopping", (RecordingContext,), {"stop_after_chunks": after_chunks})

    yield make
