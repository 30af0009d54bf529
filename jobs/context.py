"""All that a running job may use. It never sees Celery, Redis or MinIO."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from jobs.checkpoints.file import Checkpoint
    from jobs.datasets.images.image_set import ImageSet
    from jobs.datasets.tables.table import Table
    from jobs.spec import JobResult, JobSpec

T = TypeVar("T")


class StopReason(StrEnum):
    """Why a running job is asked to stop at its next step boundary."""

    CANCEL = "cancel"  #: a person wants it ended; it keeps its last checkpoint
    DRAIN = "drain"  #: its worker is going away; another worker goes on
    PAUSE = "pause"  #: a person wants the slot for something else; this one goes on when it is resumed
    PREEMPT = "preempt"  #: a more urgent job needs the slot; this one goes on afterwards


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        step: steps done.
        total: steps in all.
        stage: what a person counts in, such as `epoch 3/20`.
        metrics: the newest values, by name.
        eta_seconds: the time still needed, as far as can be told.
    """

    step: int
    total: int
    stage: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    eta_seconds: float | None = None

    def line(self, most: int | None = None) -> str:
        """One line for people, with `most` metrics at the most: `epoch 3/20 · d_loss 0.41 · ETA 2 min`."""
        parts = [self.stage or f"{self.step}/{self.total}"]
        parts += [f"{name} {value:.3g}" for name, value in list(self.metrics.items())[:most]]
        if self.eta_seconds is not None:
            parts.append(f"ETA {duration(self.eta_seconds)}")
        return " · ".join(parts)


def duration(seconds: float) -> str:
    """A length of time as people say it: `40 s`, `2 min`, `1.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def memory_of_the_machine() -> int:
    """Bytes that this machine has; without bound where it does not say (Windows)."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else sys.maxsize


class JobContext(Protocol):
    """What a running job gets. `LocalContext` keeps it in a folder, a worker in MinIO and Redis."""

    @property
    def folder(self) -> Path:
        """An empty folder on the local disk for this attempt alone; gone afterwards."""

    @property
    def memory(self) -> int:
        """Bytes that the job may hold, on the processors or the card that it runs on."""

    def report(self, progress: Progress) -> None:
        """Tells how far the job is: a line of metrics.jsonl, and (throttled) whoever watches."""

    def should_stop(self) -> StopReason | None:
        """Asked at every step boundary: the reason to save a checkpoint and raise `Stopped`, or None."""

    def save_sample(self, step: int, png: bytes) -> None:
        """Keeps a picture of the work in progress as `samples/<step>.png`; uploaded in the background."""

    def samples(self) -> list[bytes]:
        """The pictures kept so far, PNG files in the order of their steps, of all attempts."""

    def save_artifact(self, name: str, content: bytes | Path) -> None:
        """Keeps a file that people came for as `artifacts/<name>`; uploaded in the background.

        `name` may contain `/`. A path must stay readable until the job ends.
        """

    def save_shard(self, name: str, path: Path) -> None:
        """Keeps a piece of the result for later attempts, until the job has its result.

        It is uploaded in the background, before any checkpoint that is saved after it. The file must stay
        readable until the job ends.
        """

    def shard(self, name: str) -> Path | None:
        """A local copy of a piece that this job, in any attempt, has saved; None if there is none."""

    def save_checkpoint(self, checkpoint: "Checkpoint") -> None:
        """Serialises and keeps a checkpoint, and the best one it knows of, in the background, one at a time.

        Kept are the newest two (`jobs.checkpoints.keeping.NEWEST`) and the best one of each.
        """

    def checkpoint_in_flight(self) -> bool:
        """Whether a periodic checkpoint is better skipped: one is being saved, or cost much just now."""

    def load_checkpoint(self) -> "Checkpoint | None":
        """The newest checkpoint of this job that is whole, or None. Drops metrics of later steps.

        Its `best` is None if there is none, or if that one turns out to be damaged; then the log says so.
        """

    def checkpoints_of(self, job_id: str) -> "Iterator[Checkpoint]":
        """The whole checkpoints of another job, the newest first, each read when it is asked for.

        Its `best` is None if there is none, or if that one turns out to be damaged.
        """

    def adopt_reports(self, job_id: str, step: int, samples: Callable[[int], bool]) -> None:
        """Takes over what another job has reported up to a step, as if it was this one's.

        Args:
            job_id: the other job.
            step: the last one.
            samples: whether the sample of a step is taken over.
        """

    def image_set(self, name: str) -> "ImageSet":
        """A data set of images by name.

        Raises:
            BadInput: it cannot be loaded here, or has no image; the text says what to do.
        """

    def table(self, name: str) -> "Table":
        """A table with time by name; its values stay on the disk until they are looked at.

        Raises:
            BadInput: it cannot be loaded here, or holds no table; the text says what to do.
        """

    def files(self, name: str, fetch: Callable[[Path], None] | None = None) -> Path:
        """A folder with the files that were uploaded under a name.

        Args:
            name: of the upload.
            fetch: if nothing was uploaded under it, puts the files into an empty folder. What it fetched
                first is kept, so that all jobs, and all attempts of one, see the same.

        Raises:
            BadInput: there is no such upload, or it cannot be fetched.
        """

    def spec_of(self, job_id: str) -> "JobSpec[Any]":
        """The spec of another job."""

    def result_of(self, job_id: str) -> "JobResult | None":
        """The result of another job; None if it has none yet."""

    def artifact_of(self, job_id: str, name: str) -> Path:
        """A local copy of an artifact of another job.

        Raises:
            BadInput: that job has no such artifact.
        """

    def cached(self, name: str, make: Callable[[], bytes]) -> bytes:
        """What `make` returned when it was first called for this name, here or in another job.

        `name` may contain `/`, and has to carry the digest of whatever the content depends on. An entry
        that is damaged is made anew.
        """

    def cached_file(self, name: str, make: Callable[[Path], None]) -> Path:
        """A local copy of the file that `make` wrote when it was first called for this name.

        For what is too large for `cached`; the same holds of its name. The copy is read only: other jobs of
        this machine read it, too.

        Args:
            name: of the entry.
            make: writes the file; not asked where there is one, here or in the store.
        """

    def digest_of(self, job_id: str, *names: str) -> str:
        """A text that differs wherever these artifacts of another job do, without reading them.

        Args:
            job_id: the other job.
            names: of artifacts in one folder.
        """

    def in_memory(self, digest: str, load: Callable[[], tuple[T, int]]) -> T:
        """What `load` returned for this digest, where it still is in the memory of this process.

        Args:
            digest: tells all that the loaded thing depends on.
            load: returns the thing, which no job may change, and its size in bytes.
        """

    def save_data_set(self, name: str, images: "ImageSet") -> None:
        """Keeps images as a data set that other jobs can name.

        Raises:
            BadInput: there is one of that name already, with other content.
        """
