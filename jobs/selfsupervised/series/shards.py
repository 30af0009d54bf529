"""The loop of a job over many series: blocks of them, shards of the result, checkpoints, stops."""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jobs.checkpoints.file import Checkpoint, digest_of_spec
from jobs.context import JobContext, Progress
from jobs.datasets.tables.writing import Layout, TableShard
from jobs.errors import Stopped
from jobs.spec import JobSpec

Array = np.ndarray[Any, Any]

logger = logging.getLogger(__name__)

#: Computes the series from the first to before the second: the columns of the result, and what is counted.
Compute = Callable[[int, int], tuple[Sequence[Array | Sequence[Any]], Sequence[int]]]


class Shards:
    """Keeps the rows of a result in shards, so that a checkpoint need only name them.

    Args:
        spec: of the job.
        context: keeps shards and checkpoints.
        layout: of the result.
        first: the series to begin with.
        end: the series after the last one.
        block: series that are computed together; blocks begin at its multiples.
        checkpoint_seconds: the time between checkpoints, at least.
        unit: of what the progress is told, if it is not series.
        counts: numbers that `compute` counts.

    Attributes:
        paths: of the shards, in order.
        counted: what `compute` counted, in all attempts, int64 (counts,).
        rows: of the result, in this attempt.
    """

    def __init__(
        self,
        spec: JobSpec[Any],
        context: JobContext,
        layout: Layout,
        first: int,
        end: int,
        block: int,
        checkpoint_seconds: float,
        unit: str = "series",
        counts: int = 1,
    ) -> None:
        self._spec, self._context, self._layout = spec, context, layout
        self._first, self._end, self._block, self._seconds = first, end, block, checkpoint_seconds
        self._unit = unit
        self._done = first
        self._ends: list[int] = []
        self.paths: list[Path] = []
        self.counted = np.zeros(counts, np.int64)
        self.rows = 0

    def resume(self) -> None:
        """Goes on from the newest checkpoint, if its shards are there and whole."""
        found = self._context.load_checkpoint()
        if found is None:
            return
        ends, digests = found.arrays["ends"].tolist(), list(found.arrays["digests"])
        starts = [self._first, *ends[:-1]]
        paths = [self._context.shard(_name(start, end)) for start, end in zip(starts, ends, strict=True)]
        for path, digest in zip(paths, digests, strict=True):
            if path is None or not np.array_equal(_digest(path), digest):
                logger.warning("a piece of the result is lost or damaged: begins anew")
                return
        self.paths = [path for path in paths if path is not None]
        self._ends, self._done = ends, self._first + found.step
        # An earlier version counted one number.
        counted = np.atleast_1d(found.arrays["counted"])
        self.counted[: len(counted)] = counted

    def run(self, compute: Compute) -> None:
        """Computes what is not done yet.

        Raises:
            Stopped: asked to stop; the checkpoint is saved.
        """
        saved = time.monotonic()
        shard: TableShard | None = None
        reached = self._done
        while reached < self._end:
            first, reached = reached, min((reached // self._block + 1) * self._block, self._end)
            columns, counted = compute(first, reached)
            shard = shard or TableShard(self._context.folder / "open.parquet", self._layout)
            shard.add(*columns)
            # A new array: a checkpoint that is being saved keeps the one it was given.
            self.counted = self.counted + np.array(counted)
            self.rows += len(columns[0])
            done, total = reached - self._first, self._end - self._first
            self._context.report(Progress(done, total, f"{self._unit} {done}/{total}"))
            reason = self._context.should_stop() if reached < self._end else None
            due = time.monotonic() - saved >= self._seconds and not self._context.checkpoint_in_flight()
            if reason or reached == self._end or due:
                shard.close()
                shard = None
                self._take(reached)
                if reached < self._end:
                    self._save()
                    saved = time.monotonic()
            if reason:
                raise Stopped(f"stopped at {self._unit} {done} of {total}: {reason}")

    def keep_last(self) -> tuple[str, ...]:
        """Saves the last shard, too, for whoever puts the parts together; the names of all."""
        for path in self.paths[-1:]:
            self._context.save_shard(path.name, path)
        return tuple(path.name for path in self.paths)

    def _take(self, reached: int) -> None:
        path = self._context.folder / _name(self._done, reached)
        self.paths.append((self._context.folder / "open.parquet").rename(path))
        self._ends.append(reached)
        self._done = reached

    def _save(self) -> None:
        # The shard first: the checkpoint says that it is there.
        self._context.save_shard(self.paths[-1].name, self.paths[-1])
        arrays = {
            "ends": np.array(self._ends, np.int64),
            "digests": np.stack([_digest(path) for path in self.paths]),
            "counted": self.counted,
        }
        metadata = {"kind": self._spec.kind, "spec": digest_of_spec(self._spec)}
        self._context.save_checkpoint(Checkpoint(self._done - self._first, arrays, metadata))


def _name(start: int, end: int) -> str:
    # Both ends: an attempt that lost the job may write late, and must touch no shard of other series.
    return f"{start:09d}-{end:09d}.parquet"


def _digest(path: Path) -> Array:
    with path.open("rb") as file:
        return np.frombuffer(hashlib.file_digest(file, "sha256").digest(), np.uint8)
