"""What a running job sees, kept in MinIO and Redis."""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

from redis.exceptions import RedisError

from jobs import catalog
from jobs.checkpoint import Checkpoint, DamagedCheckpoint, digest_of_spec, pieces, read
from jobs.context import Progress, StopReason
from jobs.datasets.images import ImageSet
from jobs.errors import BadInput
from jobs.keeping import CheckpointName, Keeper, superfluous
from jobs.spec import JobResult, JobSpec
from scheduler.artifacts import ArtifactStore, JobKeys
from scheduler.errors import StoreRefused, UnknownArtifact, UnknownJob, Unreachable
from scheduler.records import Records, connect
from scheduler.report import store_report
from scheduler.settings import RedisSettings, StoreSettings, WorkerSettings, load
from scheduler.states import JobState
from worker.cache import cached
from worker.datasets import DataSetCache
from worker.runners import Assignment
from worker.surroundings import surroundings
from worker.uploads import Uploads, patiently

logger = logging.getLogger(__name__)

#: Seconds between two reports to whoever watches; metrics.jsonl has them all.
_REPORT_SECONDS = 0.5
#: Seconds between two uploads of metrics.jsonl.
_METRICS_SECONDS = 10.0
#: A save that took this many seconds or more is followed by so many times as long without a periodic one, at
#: most these seconds: a store that was slow for once must not leave a job without checkpoints.
_LONG_SAVE, _REST, _LONGEST_REST = 1.0, 30.0, 600.0


_TYPES = {"png": "image/png", "gif": "image/gif"}


class LostLease(Exception):
    """Another attempt runs the job, so this one must write nothing more."""


class WorkerContext:
    """A `JobContext` over the store and the records. Uploads and reports happen in the background."""

    def __init__(self, assignment: Assignment, folder: Path) -> None:
        settings = load(WorkerSettings)
        where = surroundings(settings)
        self.folder = folder
        self._assignment = assignment
        self._spec = catalog.parse(assignment.spec)
        self._keys = JobKeys(assignment.job_id)
        self._store = ArtifactStore(load(StoreSettings))
        self._records = Records(connect(load(RedisSettings)))
        self._data_sets = DataSetCache(self._store, settings.cache)
        self._uploads = Uploads()
        self._keeper = Keeper(assignment.attempt)
        self._handed, self._stored = 0, 0  #: checkpoints, each counted by one thread
        self._rests_until = 0.0
        self._metrics = folder.parent / "metrics.jsonl"
        self._metrics_uploaded = time.monotonic()
        self._newest: Progress | None = None
        self._wish: StopReason | None = None
        self._lost = False
        self._began = time.monotonic()
        self._uploads.add(lambda: self._store.put_json(self._keys.environment(assignment.attempt), where))
        self._passed_over: list[CheckpointName] = []  #: checkpoints that cannot be used
        Thread(target=self._report_newest, daemon=True, name="reports").start()

    # What the job calls.

    def report(self, progress: Progress) -> None:
        """See `JobContext.report`."""
        line = {
            "step": progress.step,
            "time": round(time.time(), 3),
            "stage": progress.stage,
            **progress.metrics,
        }
        with self._metrics.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._newest = progress
        if time.monotonic() - self._metrics_uploaded > _METRICS_SECONDS:
            self._upload_metrics()

    def should_stop(self) -> StopReason | None:
        """See `JobContext.should_stop`."""
        if self._lost:
            raise LostLease(f"attempt {self._assignment.attempt} has lost job {self._assignment.job_id}")
        return self._wish

    def save_sample(self, step: int, png: bytes) -> None:
        """See `JobContext.save_sample`."""
        self._uploads.add(lambda: self._store.put(self._keys.sample(step), png, "image/png"))

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
            self._uploads.add(lambda: self._store.put_file(key, content, kind))
        else:
            self._uploads.add(lambda: self._store.put(key, content, kind))

    def save_shard(self, name: str, path: Path) -> None:
        """See `JobContext.save_shard`."""
        key = self._keys.shard(name)
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
        self._handed += 1
        # The metrics first: a later attempt goes on from this step, and must find every line up to it.
        self._upload_metrics()
        writes = self._keeper.to_write(checkpoint)
        self._uploads.add(lambda: self._store_checkpoints(writes))

    def checkpoint_in_flight(self) -> bool:
        """See `JobContext.checkpoint_in_flight`."""
        # Serialising and uploading take processors from training: a gigabyte every 30 s would cost a quarter
        # of it where the store is on the same machine (docs/decisions.md).
        return self._handed > self._stored or time.monotonic() < self._rests_until

    def load_checkpoint(self) -> Checkpoint | None:
        """See `JobContext.load_checkpoint`."""
        names = patiently(self._checkpoints)
        for name in reversed(names):
            found = self._read_checkpoint(name)
            if found is not None:
                return self._go_on_from(name, found)
        if names:
            logger.warning("no checkpoint is usable: begins anew")
        return None

    def image_set(self, name: str) -> ImageSet:
        """See `JobContext.image_set`."""
        return patiently(lambda: self._data_sets.load(name, self._assignment.inputs))

    def files(self, name: str, fetch: Callable[[Path], None] | None = None) -> Path:
        """See `JobContext.files`."""
        return patiently(lambda: self._data_sets.files(name, self._assignment.inputs, fetch))

    def spec_of(self, job_id: str) -> JobSpec[Any]:
        """See `JobContext.spec_of`."""
        try:
            stored: Mapping[str, Any] = patiently(lambda: self._store.get_json(JobKeys(job_id).spec))
        except UnknownArtifact:
            raise BadInput(f"there is no job {job_id!r} in the store") from None
        return catalog.parse(stored["spec"])

    def artifact_of(self, job_id: str, name: str) -> Path:
        """See `JobContext.artifact_of`."""
        path = self.folder / "inputs" / job_id / name
        if path.exists():
            return path
        try:
            return patiently(lambda: self._store.get_file(JobKeys(job_id).artifact(name), path))
        except UnknownArtifact:
            raise BadInput(f"job {job_id} has no artifact {name!r}") from None

    def save_data_set(self, name: str, images: ImageSet) -> None:
        """See `JobContext.save_data_set`."""
        patiently(lambda: self._data_sets.save(name, images))

    def cached(self, name: str, make: Callable[[], bytes]) -> bytes:
        """See `JobContext.cached`."""
        return cached(self._store, name, make)

    # What the runner calls.

    def ask_to_stop(self, reason: StopReason) -> None:
        """Lets `should_stop` say so from now on."""
        self._wish = reason

    def complete(self) -> bool:
        """Whether an earlier attempt has finished the work, and was lost before it could say so."""
        return self._assignment.attempt > 1 and patiently(lambda: self._store.exists(self._keys.result))

    def finish(self, result: JobResult) -> None:
        """Stores everything, the result last: its existence means complete.

        Raises:
            LostLease: another attempt runs the job.
        """
        self.flush()
        self._store_report(result)  # before the result, which is the last of all
        self._hold()
        content = {
            "job": self._assignment.job_id,
            "kind": self._spec.kind,
            "attempt": self._assignment.attempt,
            "result": result.model_dump(mode="json"),
            "seconds": round(time.monotonic() - self._began, 3),
            "finished": time.time(),
        }
        # The first result stands. Between the look at the lease and the write this process may have slept for
        # as long as one likes, and whoever has read a result must never see another.
        if not patiently(lambda: self._store.put_new_json(self._keys.result, content)):
            logger.warning("there is a result already, which stands")
        self.drop_shards()

    def drop_shards(self) -> None:
        """Removes the pieces of the result, now that there is a whole one. What is left does no harm."""
        with suppress(Unreachable, StoreRefused):
            for item in list(self._store.under(self._keys.shards)):
                self._store.delete(item.key)

    def _store_report(self, result: JobResult) -> None:
        with suppress(RedisError, OSError, UnknownJob):
            job = self._records.get(self._assignment.job_id)
            if job.attempt != self._assignment.attempt:
                return  # a lost attempt must not tell of a success that may not come
            seconds, microseconds = self._records.redis.time()
            ended = replace(job, state=JobState.SUCCEEDED, finished=seconds + microseconds / 1e6)
            store_report(self._store, self._records, ended, result.model_dump(mode="json"))

    def flush(self) -> None:
        """Waits until everything saved so far is in the store, metrics.jsonl included."""
        self._upload_metrics()
        self._uploads.flush()

    def _upload_metrics(self) -> None:
        self._metrics_uploaded = time.monotonic()
        self._uploads.add(self._store_metrics)  # read there: of a long job it is megabytes

    def _store_metrics(self) -> None:
        if self._metrics.exists():
            content = self._metrics.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]  # the job may be adding a line just now
            # Each attempt has a file of its own: a late write of one touches no other's.
            self._store.put(self._keys.metrics(self._assignment.attempt), whole, "application/jsonl")

    def _store_checkpoints(self, writes: Sequence[tuple[CheckpointName, Checkpoint]]) -> None:
        began = time.monotonic()
        for name, checkpoint in writes:
            self._store.put_pieces(self._keys.checkpoint(name), pieces(checkpoint))
        # Only after the new one is there. Those that were passed over count for nothing, whatever their
        # step: they must not push out one that is whole.
        whole = [name for name in self._checkpoints() if name not in self._passed_over]
        for old in (*superfluous(whole), *self._passed_over):
            self._store.delete(self._keys.checkpoint(old))
        self._passed_over.clear()
        # What is not told, as Redis is away, costs the job at most one of its attempts.
        with suppress(RedisError, OSError):
            self._records.saved(self._assignment.job_id, self._assignment.attempt, writes[-1][0].step)
        took = time.monotonic() - began
        rest = min(_REST * took, _LONGEST_REST) if took >= _LONG_SAVE else 0.0
        self._rests_until = time.monotonic() + rest
        self._stored += 1

    def _checkpoints(self) -> list[CheckpointName]:
        """Whole or not, from the oldest to the newest."""
        found = (CheckpointName.parse(item.key) for item in self._store.under(self._keys.checkpoints))
        return sorted(name for name in found if name is not None)

    def _go_on_from(self, name: CheckpointName, found: Checkpoint) -> Checkpoint:
        patiently(lambda: self._restore_metrics(name.attempt, name.step))
        logger.warning("goes on from step %d (%s)", found.step, self._keys.checkpoint(name))
        best = self._keeper.goes_on_from(name)
        return replace(found, best=self._read_checkpoint(best) if best else None)

    def _read_checkpoint(self, name: CheckpointName) -> Checkpoint | None:
        key = self._keys.checkpoint(name)
        path = self.folder / "resumed.safetensors"
        try:
            patiently(lambda: self._store.get_file(key, path))
            return read(path, digest_of_spec(self._spec))
        except (DamagedCheckpoint, UnknownArtifact) as damage:
            logger.warning("checkpoint %s is passed over: %s", key, damage)
            self._passed_over.append(name)
            return None
        finally:
            path.unlink(missing_ok=True)

    def _restore_metrics(self, attempt: int, step: int) -> None:
        """Begins with the lines of the attempt that wrote the checkpoint, which go at least as far."""
        with suppress(UnknownArtifact):
            lines = self._store.get(self._keys.metrics(attempt)).decode().splitlines(keepends=True)
            self._metrics.write_text("".join(line for line in lines if json.loads(line)["step"] <= step))

    def _report_newest(self) -> None:
        sent = None
        while True:
            time.sleep(_REPORT_SECONDS)
            newest = self._newest
            if newest is not sent and newest is not None:
                # Nobody waits for a report: when Redis is away, the next one will do.
                with suppress(RedisError, OSError):
                    self._lost = not self._send(newest)
                    sent = newest

    def _hold(self) -> None:
        """Waits until Redis has the last report and says whose the job is; the worker ends the waiting."""
        job_id, attempt = self._assignment.job_id, self._assignment.attempt
        while True:
            try:
                held = self._send(self._newest) if self._newest else self._records.holds(job_id, attempt)
                break
            except (RedisError, OSError) as error:
                logger.warning("Redis does not answer, asking again: %s", error)
                time.sleep(_REPORT_SECONDS)
        if not held:
            raise LostLease(f"attempt {attempt} has lost job {job_id}")

    def _send(self, progress: Progress) -> bool:
        return self._records.report(self._assignment.job_id, self._assignment.attempt, progress)
