"""What a running job sees, kept in MinIO and Redis."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

from redis.exceptions import RedisError

from jobs import catalog
from jobs.checkpoints.file import Checkpoint, digest_of_spec
from jobs.checkpoints.kept import KeptCheckpoints
from jobs.checkpoints.reports import line_of
from jobs.context import Progress, StopReason, T
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.tables.table import Table
from jobs.spec import JobResult, JobSpec
from scheduler.errors import UnknownArtifact
from scheduler.keys import JobKeys
from worker.cache import CachedFiles, cached
from worker.cache_use import InUse
from worker.checkpoints import StoredCheckpoints
from worker.closing import Closing, LostLease
from worker.datasets import DataSetCache
from worker.metrics import SentMetrics
from worker.models import Models
from worker.other_jobs import OtherJobs
from worker.runners import LOG, Assignment
from worker.saving import Saving
from worker.servers import Servers
from worker.uploads import Uploads, patiently

logger = logging.getLogger(__name__)

#: Seconds between two reports to whoever watches; metrics.jsonl has them all.
_REPORT_SECONDS = 0.5
#: Seconds until an attempt stores where it runs, if it has not ended with a result by then, which says so.
_WHERE_SECONDS = 5.0
#: Seconds between two uploads of the lines of metrics.jsonl that are new.
_METRICS_SECONDS = 10.0

_TYPES = {"png": "image/png", "gif": "image/gif"}


class WorkerContext:
    """A `JobContext` over the store and the records. Uploads and reports happen in the background."""

    def __init__(
        self,
        assignment: Assignment,
        folder: Path,
        servers: Servers | None = None,
        models: Models | None = None,
    ) -> None:
        """Begins an attempt.

        Args:
            assignment: what is to be run.
            folder: an empty one.
            servers: connections that outlive the job; by default those that the settings name.
            models: those that stay in memory; by default none do.
        """
        servers = servers or Servers()
        self.folder, self.memory = folder, servers.memory
        self.made_something = False  #: whether it has computed what is kept for all jobs: a training, perhaps
        self._models, self._in_use = models or Models(0), InUse()
        self._assignment = assignment
        self._spec = catalog.parse(assignment.spec)
        self._keys = JobKeys(assignment.job_id)
        self.servers, self._store, self._records = servers, servers.store, servers.records
        self._data_sets = DataSetCache(self._store, servers.cache, self._in_use)
        self._cached_files = CachedFiles(self._store, servers.cache, self._in_use)
        self._others = OtherJobs(self._store, folder / "inputs")
        self._uploads = Uploads()
        place = StoredCheckpoints(self._store, self._keys, digest_of_spec(self._spec), folder)
        self._checkpoints = KeptCheckpoints(place, assignment.attempt)
        self._saving = Saving()
        self._metrics = SentMetrics(
            self._store, self._keys, assignment.attempt, folder.parent / "metrics.jsonl"
        )
        self._newest: Progress | None = None
        self._wish: StopReason | None = None
        self._began = self._metrics_sent = time.monotonic()
        self._closing = Closing(servers, assignment, self._spec.reuses_runner)
        #: Perhaps, of an attempt before, or of its parts.
        self._has_shards = assignment.attempt > 1 or assignment.division is not None
        self._over, self._told_where, self._lost = Event(), False, False
        self._reporter = Thread(target=self._report_newest, daemon=True, name="reports")
        self._reporter.start()

    # What the job calls.

    def report(self, progress: Progress) -> None:
        """See `JobContext.report`."""
        self._metrics.add(line_of(progress, time=round(time.time(), 3)))
        self._newest = progress
        if time.monotonic() - self._metrics_sent > _METRICS_SECONDS:
            self._send_metrics()

    def should_stop(self) -> StopReason | None:
        """See `JobContext.should_stop`."""
        if self._lost:
            raise LostLease(f"attempt {self._assignment.attempt} has lost job {self._assignment.job_id}")
        return self._wish

    def save_sample(self, step: int, png: bytes) -> None:
        """See `JobContext.save_sample`."""
        key = self._keys.sample(step)
        self._uploads.beside(key, lambda: self._store.put(key, png, "image/png"))

    def samples(self) -> list[bytes]:
        """See `JobContext.samples`."""
        self._uploads.flush()
        return patiently(
            lambda: [self._store.get(item.key) for item in self._store.under(self._keys.samples)]
        )

    def save_artifact(self, name: str, content: bytes | Path) -> None:
        """See `JobContext.save_artifact`."""
        key = self._keys.artifact(name)
        kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
        if isinstance(content, Path):
            self._uploads.beside(key, lambda: self._store.put_file(key, content, kind))
        else:
            self._uploads.beside(key, lambda: self._store.put(key, content, kind))

    def save_shard(self, name: str, path: Path) -> None:
        """See `JobContext.save_shard`."""
        key = self._keys.shard(name)
        self._has_shards = True
        self._uploads.add(lambda: self._store.put_file(key, path))

    def shard(self, name: str) -> Path | None:
        """See `JobContext.shard`."""
        try:
            path = self.folder / "shards" / name
            return patiently(lambda: self._store.get_file(self._keys.shard(name), path))
        except UnknownArtifact:
            return None

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """See `JobContext.save_checkpoint`."""
        self._saving.hand_over()
        # The metrics first: a later attempt goes on from this step, and must find every line up to it.
        self._send_metrics()
        self._uploads.add(lambda: self._saving.timed(lambda: self._store_checkpoint(checkpoint)))

    def checkpoint_in_flight(self) -> bool:
        """See `JobContext.checkpoint_in_flight`."""
        return self._saving.busy

    def load_checkpoint(self) -> Checkpoint | None:
        """See `JobContext.load_checkpoint`."""
        if self._assignment.attempt == 1 or (found := self._checkpoints.load()) is None:
            return None  # before the first attempt there is nothing, however short the job
        patiently(lambda: self._metrics.go_on_from(found.name.attempt, found.name.step))
        return found.checkpoint

    def image_set(self, name: str) -> ImageSet:
        """See `JobContext.image_set`."""
        return patiently(lambda: self._data_sets.load(name, self._assignment.inputs))

    def table(self, name: str) -> Table:
        """See `JobContext.table`."""
        return patiently(lambda: self._data_sets.table(name, self._assignment.inputs))

    def files(self, name: str, fetch: Callable[[Path], None] | None = None) -> Path:
        """See `JobContext.files`."""
        return patiently(lambda: self._data_sets.files(name, self._assignment.inputs, fetch))

    def spec_of(self, job_id: str) -> JobSpec[Any]:
        """See `JobContext.spec_of`."""
        return self._others.spec(job_id)

    def result_of(self, job_id: str) -> JobResult | None:
        """See `JobContext.result_of`."""
        return self._others.result(job_id)

    def checkpoints_of(self, job_id: str) -> Iterator[Checkpoint]:
        """See `JobContext.checkpoints_of`."""
        return self._others.checkpoints(job_id)

    def adopt_reports(self, job_id: str, step: int, samples: Callable[[int], bool]) -> None:
        """See `JobContext.adopt_reports`."""
        self._metrics.begin_with(self._others.reports(job_id, step))
        for at, png in self._others.samples(job_id):
            if at <= step and samples(at):
                self.save_sample(at, png)

    def artifact_of(self, job_id: str, name: str) -> Path:
        """See `JobContext.artifact_of`."""
        return self._others.artifact(job_id, name)

    def save_data_set(self, name: str, images: ImageSet) -> None:
        """See `JobContext.save_data_set`."""
        patiently(lambda: self._data_sets.save(name, images))

    def cached(self, name: str, make: Callable[[], bytes]) -> bytes:
        """See `JobContext.cached`."""
        return cached(self._store, name, lambda: self._made(make))

    def cached_file(self, name: str, make: Callable[[Path], None]) -> Path:
        """See `JobContext.cached_file`."""
        return self._cached_files.get(name, lambda path: self._made(lambda: make(path)))

    def in_memory(self, digest: str, load: Callable[[], tuple[T, int]]) -> T:
        """See `JobContext.in_memory`."""
        return self._models.get(digest, load)

    def digest_of(self, job_id: str, *names: str) -> str:
        """See `JobContext.digest_of`."""
        return self._others.digest(job_id, names)

    # What the runner calls.

    def close(self) -> bool:
        """Ends all that goes on in the background; whether this process can have another context."""
        self._over.set()
        self._uploads.close()
        self._reporter.join()
        self._in_use.release()
        return not self.made_something

    def ask_to_stop(self, reason: StopReason) -> None:
        """Lets `should_stop` say so from now on."""
        self._wish = reason

    def complete(self) -> bool:
        """Whether an earlier attempt has finished the work, and was lost before it could say so."""
        return self._assignment.attempt > 1 and patiently(lambda: self._store.exists(self._keys.result))

    def finish(self, result: JobResult) -> int:
        """Stores everything, the result last: its existence means complete.

        Returns:
            How many bytes of the log are in the store; -1 if there is none.

        Raises:
            LostLease: another attempt runs the job.
        """
        where = None if self._told_where else self._about()
        log = self.folder.parent / LOG
        logged = self._closing.say(result, self._uploads, self._metrics, log, where, lambda: self._newest)
        if self._has_shards:
            self.drop_shards()
        return logged

    def how_far(self) -> str:
        """The last report in a line, or nothing."""
        return replace(self._newest, eta_seconds=None).line(1) if self._newest else ""

    def drop_shards(self) -> None:
        """Removes the pieces of the result, now that there is a whole one. What is left does no harm."""
        self._closing.drop_shards()

    def flush(self) -> None:
        """Waits until everything saved so far is in the store, metrics.jsonl included."""
        self._uploads.beside(*self._where())
        self._send_metrics()
        self._uploads.flush()

    def _where(self) -> tuple[str, Callable[[], None]]:
        """The key of what is known of the place in which the attempt runs, and what stores it."""
        key = self._keys.environment(self._assignment.attempt)
        return key, lambda: self._store.put_json(key, self._about())

    def _about(self) -> dict[str, str]:
        return self.servers.where | self._models.story

    def _send_metrics(self) -> None:
        self._metrics_sent = time.monotonic()
        self._uploads.add(self._metrics.send)

    def _store_checkpoint(self, checkpoint: Checkpoint) -> None:
        self._checkpoints.save(checkpoint)
        # What is not told, as Redis is away, costs the job at most one of its attempts.
        with suppress(RedisError, OSError):
            self._records.saved(self._assignment.job_id, self._assignment.attempt, checkpoint.step)

    def _report_newest(self) -> None:
        sent, job_id, attempt = None, self._assignment.job_id, self._assignment.attempt
        while not self._over.wait(_REPORT_SECONDS):
            if not self._told_where and time.monotonic() - self._began > _WHERE_SECONDS:
                self._told_where = True
                with suppress(Exception):  # of an earlier upload, which the job is told of
                    self._uploads.beside(*self._where())
            newest = self._newest
            if newest is not sent and newest is not None:
                # Nobody waits for a report: when Redis is away, the next one will do.
                with suppress(RedisError, OSError):
                    self._lost = not self._records.report(job_id, attempt, newest)
                    sent = newest

    def _made(self, make: Callable[[], T]) -> T:
        self.made_something = True
        return make()
