"""A job as a person holds it: its state, progress, pictures, logs and result."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from PIL import Image

from jobs import catalog
from jobs.context import Progress
from jobs.spec import JobSpec, ResultT
from scheduler.artifacts import JobKeys, StoredObject
from scheduler.endings import store_ending
from scheduler.errors import JobFailed, NotFinished, UnknownArtifact
from scheduler.records import JobRecord
from scheduler.states import FailureCause, JobState

if TYPE_CHECKING:
    from scheduler.client import Client

#: Seconds that one read of the event stream blocks; below the socket's timeout.
_BLOCK = 1.0


class Job(Generic[ResultT]):
    """A handle to one job. Its properties ask Redis each time, so that they are never stale."""

    def __init__(self, client: "Client", job_id: str, record: JobRecord | None = None) -> None:
        self.id = job_id
        self._client = client
        self._keys = JobKeys(job_id)
        self._last = record

    @property
    def record(self) -> JobRecord:
        """Everything that Redis knows of the job, now."""
        if self._last is None or not self._last.state.final:
            self._last = self._client.records.get(self.id)
        return self._last

    @property
    def kind(self) -> str:
        """`family.action`."""
        return self.record.kind

    @property
    def spec(self) -> JobSpec[ResultT]:
        """What was asked."""
        return catalog.parse(self.record.spec)

    @property
    def state(self) -> JobState:
        """Where the job stands."""
        return self.record.state

    @property
    def progress(self) -> Progress | None:
        """How far it is; None before its first report."""
        return self.record.progress

    @property
    def cause(self) -> FailureCause | None:
        """Why it failed, if it did."""
        return self.record.cause

    @property
    def message(self) -> str:
        """The same in a sentence."""
        return self.record.message

    def past_attempts(self) -> list[dict[str, Any]]:
        """The attempts that ended without ending the job: attempt, worker, cause, message, ended."""
        return self._client.records.attempts(self.id)

    @property
    def log_key(self) -> str:
        """The key of the newest attempt's log in the store."""
        return self._keys.log(max(self.record.attempt, 1))

    def updates(self, timeout: float | None = None) -> Iterator[JobRecord]:
        """Yields the record now and after every change, until the job has ended.

        Raises:
            TimeoutError: it has not ended after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        # From now on, not from the start: the record that is read next is newer than what went before.
        last = self._client.records.newest_event(self.id)
        yield self.record
        while not self.record.state.final:
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"job {self.id} is {self.state} after {timeout} s; it goes on")
            block = _BLOCK if deadline is None else min(_BLOCK, max(deadline - time.monotonic(), 0.01))
            if events := self._client.records.events(self.id, last, block):
                last = events[-1][0]
            yield self.record

    def watch(self, timeout: float | None = None) -> "Job[ResultT]":
        """Shows a live bar until the job has ended, then how it ended; returns the job.

        Raises:
            TimeoutError: it has not ended after `timeout` seconds.
        """
        from scheduler.display import show_bar  # rich is slow to import, and a script may never need it

        show_bar(self, timeout)
        return self

    def wait(self, timeout: float | None = None) -> ResultT:
        """Waits until the job has ended and returns its result.

        Raises:
            TimeoutError: it has not ended after `timeout` seconds.
            JobFailed: it failed or was cancelled.
        """
        for _ in self.updates(timeout):
            pass
        return self.result()

    def result(self) -> ResultT:
        """What the job left as data.

        Raises:
            NotFinished: it has not ended.
            JobFailed: it failed or was cancelled.
        """
        record = self.record
        if not record.state.final:
            raise NotFinished(f"job {self.id} is {record.state}: wait for it with `job.wait()`")
        if record.state is not JobState.SUCCEEDED:
            raise JobFailed(self.ending())
        data = self._client.store.get_json(self._keys.result)
        result: ResultT = catalog.spec_type(record.kind).result_type.model_validate_json(
            json.dumps(data["result"])
        )  # type: ignore[assignment]
        return result

    def ending(self) -> str:
        """One sentence on how it ended: id, cause, message, key of the log."""
        record = self.record
        text = f"job {self.id} ({record.kind}) {record.state}"
        if record.cause:
            text += f", {record.cause}: {record.message}"
        if record.state is JobState.FAILED and record.attempt:
            text += f" [log: {self.log_key}]"
        return text

    def samples(self) -> list[StoredObject]:
        """Pictures along the way, in the order of steps."""
        return list(self._client.store.under(self._keys.samples))

    def artifacts(self) -> dict[str, int]:
        """The files that the job left: name -> size in bytes."""
        return {
            item.key.removeprefix(self._keys.artifacts): item.size
            for item in self._client.store.under(self._keys.artifacts)
        }

    def artifact(self, name: str) -> bytes:
        """The content of one of the files that the job left.

        Raises:
            UnknownArtifact: it left none of that name.
        """
        try:
            return self._client.store.get(self._keys.artifact(name))
        except UnknownArtifact:
            left = ", ".join(self.artifacts()) or "nothing yet"
            raise UnknownArtifact(f"job {self.id} has no artifact {name!r}: it left {left}") from None

    def images(self) -> list[Image.Image]:
        """Its pictures: those along the way in the order of steps, then those it left for people.

        Single images in sub-folders, of which there may be thousands, are left to `download`.
        """
        return [self._open(key) for key in self._image_keys()]

    def metrics(self) -> list[dict[str, Any]]:
        """Every report, oldest first."""
        key = self._metrics_key()
        lines = self._client.store.get(key).decode().splitlines() if key else []
        return [json.loads(line) for line in lines]

    def download(self, folder: str | Path) -> list[Path]:
        """Copies everything the job left for people (artifacts, samples, metrics, result) into a folder."""
        store = self._client.store
        keys = [item.key for item in store.under(self._keys.artifacts)]
        keys += [item.key for item in store.under(self._keys.samples)]
        keys += [key for key in (self._keys.result, self._keys.spec) if store.exists(key)]
        copied = self._copy(keys, folder)
        if key := self._metrics_key():
            copied.append(store.get_file(key, Path(folder) / "metrics.jsonl"))
        return copied

    def download_images(self, folder: str | Path) -> list[Path]:
        """Copies the pictures that `images` shows into a folder."""
        return self._copy(self._image_keys(), folder)

    def report(self) -> str:
        """One HTML page on the job, self-contained: spec, curves, pictures, result, environment, attempts.

        Of a job that has ended it is the artifact `report.html`; of any other, how the job stands now.
        """
        from scheduler.report import read_report  # not needed by whoever only submits

        return read_report(self._client.store, self._client.records, self.record)

    def logs(self, follow: bool = False) -> Iterator[str]:
        """Yields all output of the job's attempts; with `follow`, as it comes, until the job has ended."""
        from scheduler.logs import read_logs

        return read_logs(self._client, self, follow)

    def cancel(self) -> JobState:
        """Ends the job: at once if it has not begun, else at its next step boundary."""
        state = self._client.records.cancel(self.id)
        store_ending(self._client.store, self.record)
        return state

    def read(self, key: str) -> bytes:
        """The content of any object of the job, by its key."""
        return self._client.store.get(key)

    def _metrics_key(self) -> str | None:
        """The metrics of the attempt that left the result, or else of the newest that has any."""
        store = self._client.store
        if self.state is JobState.SUCCEEDED:
            key = self._keys.metrics(store.get_json(self._keys.result)["attempt"])
            return key if store.exists(key) else None
        return max((item.key for item in store.under(self._keys.all_metrics)), default=None)

    def _image_keys(self) -> list[str]:
        keys = [item.key for item in self.samples()]
        return keys + [
            self._keys.artifact(name)
            for name in self.artifacts()
            if name.endswith((".png", ".gif")) and "/" not in name
        ]

    def _copy(self, keys: list[str], folder: str | Path) -> list[Path]:
        store = self._client.store
        return [store.get_file(key, Path(folder) / key.removeprefix(self._keys.folder)) for key in keys]

    def _open(self, key: str) -> Image.Image:
        image = Image.open(io.BytesIO(self.read(key)))
        image.info["key"] = key
        return image

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.kind} {self.state}>"

    def _repr_html_(self) -> str:
        from scheduler.display import as_html

        return as_html(self)
