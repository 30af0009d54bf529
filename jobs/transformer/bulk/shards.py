"""The loop of a job over texts without end: windows, shards of the result, checkpoints, stops."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from jobs.checkpoints.file import Checkpoint, digest_of_spec
from jobs.context import JobContext, Progress, StopReason
from jobs.dividing.parts import PartResult
from jobs.errors import Stopped
from jobs.pretrained.tokens import Array
from jobs.spec import JobSpec
from jobs.training import machine
from jobs.training.callbacks import REPORT_SECONDS
from jobs.transformer.bulk.engine import Choice

logger = logging.getLogger(__name__)


class Stretch(Protocol):
    """Consecutive rows that are computed together."""

    @property
    def end(self) -> int:
        """The number of the row after the last one."""


Rows = TypeVar("Rows", bound=Stretch)
Given = TypeVar("Given", bound=Stretch, contravariant=True)
Outputs = TypeVar("Outputs")
Taken = TypeVar("Taken", contravariant=True)


class Shard(Protocol[Given, Taken]):
    """A file with the result of consecutive rows."""

    def add(self, window: Given, outputs: Taken) -> None:
        """Writes a window's."""

    def close(self) -> None:
        """Ends the file."""


class Bulk:
    """Keeps the result of a job in shards, whole windows each, so that a checkpoint need only name them.

    A checkpoint of the result itself would grow with it, and be uploaded again and again. A shard is uploaded
    once, before the checkpoint that names it, and is checked by its digest when another attempt goes on.

    Args:
        spec: of the job.
        context: keeps shards and checkpoints.
        choice: the engine; a result is all of one.
        first: the row to begin with.
        end: the row after the last one, for the progress.
        suffix: of the shards' names.
        checkpoint_seconds: the time between checkpoints, at least.
        obeyed: what the checkpoint of the model says that the version before did not obey; of most it is
            nothing.

    Attributes:
        done: the row after the last one whose result is in `shards`.
        shards: their files, in order.
        rows_per_second: of this attempt.
    """

    def __init__(
        self,
        spec: JobSpec[Any],
        context: JobContext,
        choice: Choice,
        first: int,
        end: int,
        suffix: str,
        checkpoint_seconds: float,
        obeyed: str = "",
    ) -> None:
        self._spec, self._context, self._engine = spec, context, f"{choice}{obeyed}"
        self._start, self._end, self._suffix = first, end, suffix
        self._checkpoint_seconds = checkpoint_seconds
        self.done = first
        self.shards: list[Path] = []
        self._digests: list[Array] = []
        self._ends: list[int] = []
        self.rows_per_second = 0.0
        self._reason: StopReason | None = None
        self._first = first
        self._began = self._reported = self._saved = time.monotonic()

    def resume(self) -> None:
        """Goes on from the newest checkpoint, if its shards are there and of the same engine."""
        found = self._context.load_checkpoint()
        if found is None:
            return
        if found.metadata.get("engine") != self._engine:
            logger.warning(
                "the rows so far were computed with %s, which differs from %s: begins anew, as the result is "
                "to be of one kind",
                found.metadata.get("engine"),
                self._engine,
            )
            return
        machine.warn_if_unlike(found.metadata, machine.description())
        ends, digests = found.arrays["ends"].tolist(), list(found.arrays["digests"])
        starts = [self._start, *ends[:-1]]
        paths = [self._context.shard(self._name(start, end)) for start, end in zip(starts, ends, strict=True)]
        for start, path, digest in zip(starts, paths, digests, strict=True):
            if path is None or not np.array_equal(_digest(path), digest):
                logger.warning("the result of the rows from %d on is lost or damaged: begins anew", start)
                return
        self.shards = [path for path in paths if path is not None]
        self._ends, self._digests, self.done = ends, digests, self._start + found.step

    def run(
        self,
        compute: Callable[[int, Callable[[int], bool]], Iterator[tuple[Rows, Outputs]]],
        new_shard: Callable[[Path], Shard[Rows, Outputs]],
    ) -> None:
        """Computes all rows from `done` on, and saves what later attempts need.

        Args:
            compute: from the first row wanted to the windows from there on, each with what was computed; it
                calls its second argument with the rows done so far, and ends where that says False.
            new_shard: begins a file.

        Raises:
            Stopped: asked to stop; the checkpoint is saved.
        """
        self._began = self._reported = self._saved = time.monotonic()
        self._first = reached = self.done
        shard: Shard[Rows, Outputs] | None = None
        for window, outputs in compute(self._first, self._go_on):
            shard = shard or new_shard(self._open)
            shard.add(window, outputs)
            reached = window.end
            self._tell(reached - self._first)
            if self._reason and reached < self._end:
                break
            if self._is_due(reached):
                shard.close()
                shard = None
                self._save(reached)
        if shard is not None:
            shard.close()
        if self._reason and reached < self._end:
            if shard is not None:
                self._save(reached)
            raise Stopped(f"stopped at row {reached} of {self._end}: {self._reason}")
        if shard is not None:
            self._take(reached)

    def part_result(self, **facts: Any) -> PartResult:
        """Saves the last piece, too, for whoever puts the parts together; what the part leaves."""
        for path in self.shards[-1:]:
            self._context.save_shard(path.name, path)
        return PartResult(shards=tuple(path.name for path in self.shards), facts=facts)

    def _go_on(self, computed: int) -> bool:
        """Asked after each batch, with the rows that this attempt has computed."""
        self._tell(computed)
        self._reason = self._reason or self._context.should_stop()
        return self._reason is None

    def _tell(self, computed: int) -> None:
        now, reached = time.monotonic(), self._first - self._start + computed
        total = max(self._end - self._start, reached)
        self.rows_per_second = computed / max(now - self._began, 1e-9)
        if now - self._reported < REPORT_SECONDS and reached < total:
            return
        self._reported = now
        eta = (total - reached) / self.rows_per_second if computed else None
        metrics = {"rows_per_second": round(self.rows_per_second, 1)}
        self._context.report(Progress(reached, total, f"row {reached}/{total}", metrics, eta))

    def _is_due(self, reached: int) -> bool:
        if reached >= self._end or self._context.checkpoint_in_flight():
            return False
        return time.monotonic() - self._saved >= self._checkpoint_seconds

    @property
    def _open(self) -> Path:
        """The shard that is being written."""
        return self._context.folder / f"open{self._suffix}"

    def _take(self, reached: int) -> Path:
        """Counts the shard that was closed among the finished ones."""
        path = self._open.rename(self._context.folder / self._name(self.done, reached))
        self.shards.append(path)
        self._ends.append(reached)
        self._digests.append(_digest(path))
        self.done = reached
        return path

    def _save(self, reached: int) -> None:
        path = self._take(reached)
        # The shard first: the checkpoint says that it is there.
        self._context.save_shard(path.name, path)
        arrays = {"ends": np.array(self._ends, np.int64), "digests": np.stack(self._digests)}
        metadata = {
            "kind": self._spec.kind,
            "spec": digest_of_spec(self._spec),
            "engine": self._engine,
            **machine.description(),
        }
        self._context.save_checkpoint(Checkpoint(reached - self._start, arrays, metadata))
        self._saved = time.monotonic()

    def _name(self, start: int, end: int) -> str:
        # Both ends: an attempt that lost the job may write late, and must touch no shard of other rows.
        return f"{start:012d}-{end:012d}{self._suffix}"


def _digest(path: Path) -> Array:
    with path.open("rb") as file:
        return np.frombuffer(hashlib.file_digest(file, "sha256").digest(), np.uint8)
