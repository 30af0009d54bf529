"""What a running job sees, kept in MinIO and Redis."""

import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from redis.exceptions import RedisError

from jobs import catalog
from jobs.checkpoint import Checkpoint, DamagedCheckpoint, digest_of_spec, read, write
from jobs.context import Progress, StopReason
from jobs.datasets.images import ImageSet
from jobs.errors import BadInput
from jobs.spec import JobResult, JobSpec
from scheduler.artifacts import ArtifactStore, JobKeys
from scheduler.errors import UnknownArtifact
from scheduler.records import Records, connect
from scheduler.settings import RedisSettings, StoreSettings, WorkerSettings, load
from worker.datasets import DataSetCache
from worker.runners import Assignment
from worker.uploads import Uploads

logger = logging.getLogger(__name__)

#: Seconds between two reports to whoever watches; metrics.jsonl has them all.
_REPORT_SECONDS = 0.5
#: Seconds between two uploads of metrics.jsonl.
_METRICS_SECONDS = 10.0
#: Checkpoints kept: the newest, and one to fall back to.
_KEPT = 2


class LostLease(Exception):
    """Another attempt runs the job, so this one must write nothing more."""


class WorkerContext:
    """A `JobContext` over the store and the records. Uploads and reports happen in the background."""

    def __init__(self, assignment: Assignment, folder: Path) -> None:
        settings = load(WorkerSettings)
        self.folder = folder
        self._assignment = assignment
        self._spec = catalog.parse(assignment.spec)
        self._keys = JobKeys(assignment.job_id)
        self._store = ArtifactStore(load(StoreSettings))
        self._records = Records(connect(load(RedisSettings)))
        self._data_sets = DataSetCache(self._store, settings.cache)
        self._uploads = Uploads()
        self._saving = Event()
        self._metrics = folder.parent / "metrics.jsonl"
        self._metrics_uploaded = time.monotonic()
        self._newest: Progress | None = None
        self._wish: StopReason | None = None
        self._lost = False
        self._began = time.time()
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

    def save_artifact(self, name: str, content: bytes | Path) -> None:
        """See `JobContext.save_artifact`."""
        key = self._keys.artifact(name)
        kind = "image/png" if name.endswith(".png") else "application/octet-stream"
        if isinstance(content, Path):
            self._uploads.add(lambda: self._store.put_file(key, content, kind))
        else:
            self._uploads.add(lambda: self._store.put(key, content, kind))

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """See `JobContext.save_checkpoint`."""
        self._saving.set()
        # The metrics first: a later attempt goes on from this step, and must find every line up to it.
        self._upload_metrics()
        self._uploads.add(lambda: self._store_checkpoint(checkpoint))

    def checkpoint_in_flight(self) -> bool:
        """See `JobContext.checkpoint_in_flight`."""
        return self._saving.is_set()

    def load_checkpoint(self) -> Checkpoint | None:
        """See `JobContext.load_checkpoint`."""
        keys = sorted((item.key for item in self._store.under(self._keys.checkpoints)), reverse=True)
        for key in keys:
            path = self._store.get_file(key, self.folder / "resumed.safetensors")
            try:
                checkpoint = read(path, digest_of_spec(self._spec))
            except DamagedCheckpoint as damage:
                logger.warning("checkpoint %s is passed over: %s", key, damage)
                continue
            finally:
                path.unlink(missing_ok=True)
            logger.warning("goes on from step %d (%s)", checkpoint.step, key)
            self._restore_metrics(checkpoint.step)
            return checkpoint
        if keys:
            logger.warning("no checkpoint is usable: begins anew")
        return None

    def image_set(self, name: str) -> ImageSet:
        """See `JobContext.image_set`."""
        return self._data_sets.load(name, self._assignment.inputs)

    def spec_of(self, job_id: str) -> JobSpec[Any]:
        """See `JobContext.spec_of`."""
        try:
            stored: Mapping[str, Any] = self._store.get_json(JobKeys(job_id).spec)
        except UnknownArtifact:
            raise BadInput(f"there is no job {job_id!r} in the store") from None
        return catalog.parse(stored["spec"])

    def artifact_of(self, job_id: str, name: str) -> Path:
        """See `JobContext.artifact_of`."""
        path = self.folder / "inputs" / job_id / name
        try:
            return path if path.exists() else self._store.get_file(JobKeys(job_id).artifact(name), path)
        except UnknownArtifact:
            raise BadInput(f"job {job_id} has no artifact {name!r}") from None

    # What the runner calls.

    def ask_to_stop(self, reason: StopReason) -> None:
        """Lets `should_stop` say so from now on."""
        self._wish = reason

    def complete(self) -> bool:
        """Whether an earlier attempt has finished the work, and was lost before it could say so."""
        return self._assignment.attempt > 1 and self._store.exists(self._keys.result)

    def finish(self, result: JobResult) -> None:
        """Stores everything, the result last: its existence means complete.

        Raises:
            LostLease: another attempt runs the job.
        """
        self.flush()
        if self._newest and not self._send(self._newest):
            raise LostLease(f"attempt {self._assignment.attempt} has lost job {self._assignment.job_id}")
        self._uploads.add(
            lambda: self._store.put_json(
                self._keys.result,
                {
                    "job": self._assignment.job_id,
                    "kind": self._spec.kind,
                    "attempt": self._assignment.attempt,
                    "result": result.model_dump(mode="json"),
                    "seconds": round(time.time() - self._began, 3),
                    "finished": time.time(),
                },
            )
        )
        self._uploads.flush()

    def flush(self) -> None:
        """Waits until everything saved so far is in the store, metrics.jsonl included."""
        self._upload_metrics()
        self._uploads.flush()

    def _upload_metrics(self) -> None:
        self._metrics_uploaded = time.monotonic()
        if self._metrics.exists():
            content = self._metrics.read_bytes()
            self._uploads.add(lambda: self._store.put(self._keys.metrics, content, "application/jsonl"))

    def _store_checkpoint(self, checkpoint: Checkpoint) -> None:
        key = self._keys.checkpoint(checkpoint.step, self._assignment.attempt)
        path = self.folder.parent / "checkpoint.safetensors"
        try:
            write(checkpoint, path)
            self._store.put_file(key, path)
            # Only after the new one is there.
            for old in sorted(item.key for item in self._store.under(self._keys.checkpoints))[:-_KEPT]:
                self._store.delete(old)
        finally:
            path.unlink(missing_ok=True)
            self._saving.clear()

    def _restore_metrics(self, step: int) -> None:
        with suppress(UnknownArtifact):
            lines = self._store.get(self._keys.metrics).decode().splitlines(keepends=True)
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

    def _send(self, progress: Progress) -> bool:
        return self._records.report(self._assignment.job_id, self._assignment.attempt, progress)
