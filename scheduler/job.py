"""A job as a person holds it: its state, progress, pictures, logs and result."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, Generic

from jobs import catalog
from jobs.context import Progress
from jobs.dividing.parts import PartResult
from jobs.errors import InvalidSpec
from jobs.spec import JobSpec, ResultT
from scheduler.endings import ending, log_key, store_ending
from scheduler.errors import DamagedArtifact, JobFailed, NotFinished
from scheduler.job_files import JobFiles
from scheduler.messages import withdraw
from scheduler.parts import Parts
from scheduler.patience import Patience
from scheduler.pausing import Pausing, set_priority
from scheduler.record import JobRecord
from scheduler.states import FailureCause, JobState

#: Seconds that one read of the event stream blocks; below the socket's timeout.
_BLOCK = 1.0


class Job(JobFiles, Generic[ResultT]):
    """A handle to one job. Its properties ask Redis each time, so that they are never stale."""

    @property
    def kind(self) -> str:
        """`family.action`."""
        return self.record.kind

    @property
    def spec(self) -> JobSpec[ResultT]:
        """What was asked."""
        return catalog.parse(self.record.spec)

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
        return self._records.attempts(self.id)

    @property
    def log_key(self) -> str:
        """The key of the newest attempt's log in the store."""
        return log_key(self.record)

    def updates(self, timeout: float | None = None) -> Iterator[JobRecord]:
        """Yields the record now and after every change, until the job has ended.

        A server that is away meanwhile is waited for.

        Raises:
            TimedOut: it has not ended after `timeout` seconds; also a `TimeoutError`.
            Unanswered: the same, and a server was away at the end; also `Unreachable`.
        """
        return self._updates(Patience(self.id, timeout))

    def _updates(self, patience: Patience) -> Iterator[JobRecord]:
        streams = self._records.streams
        # From now on, not from the start: the record that is read next is newer than what went before.
        last = patience.outlast(lambda: streams.newest_event(self.id))
        record = patience.outlast(lambda: self.record)
        yield record
        while not record.state.final:
            patience.check(record.state)
            block = patience.left(_BLOCK)
            if events := patience.outlast(partial(streams.events, self.id, last, block)):
                last = events[-1][0]
            record = patience.outlast(lambda: self.record)
            yield record

    def watch(self, timeout: float | None = None) -> "Job[ResultT]":
        """Shows a live bar until the job has ended, then how it ended; returns the job.

        A server that is away meanwhile is waited for.

        Raises:
            TimedOut: it has not ended after `timeout` seconds; also a `TimeoutError`.
        """
        from scheduler.display import show_bar  # rich is slow to import, and a script may never need it

        show_bar(self.updates(timeout))
        return self

    def wait(self, timeout: float | None = None) -> ResultT:
        """Waits until the job has ended and returns its result. A server that is away is waited for.

        Raises:
            TimedOut: it has not ended after `timeout` seconds; also a `TimeoutError`.
            Unanswered: the same, and a server was away at the end; also `Unreachable`.
            JobFailed: it failed or was cancelled.
        """
        patience = Patience(self.id, timeout)
        for _ in self._updates(patience):
            pass
        return patience.outlast(self.result)

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
        data = self._store.get_json(self._keys.result)
        kind = PartResult if record.whole else catalog.spec_type(record.kind).result_type
        try:
            result: ResultT = kind.model_validate_json(json.dumps(data["result"]))  # type: ignore[assignment]
        except (ValueError, LookupError, TypeError) as error:
            raise DamagedArtifact(
                f"{self._keys.result!r} in the store is no result of {record.kind} ({type(error).__name__})"
            ) from error
        return result

    def parts(self) -> list[JobRecord]:
        """The parts that the job was divided into, in the order of their rows; empty before that."""
        return Parts(self._records).of(self.id)

    def ending(self) -> str:
        """One sentence on how it ended: id, cause, message, key of the log."""
        return ending(self.record)

    def cancel(self) -> JobState:
        """Ends the job, with all its parts: at once if it has not begun, else at its next step boundary.

        Raises:
            InvalidSpec: it is a part, which cannot end alone.
        """
        self._whole("cancel")
        if self.record.archived:
            return self.state
        state = self._records.cancel(self.id)
        if parts := Parts(self._records).ids(self.id):
            record = self.record
            withdraw(self._records.redis, record.pool, record.priority, parts)
        store_ending(self._store, self.record)
        return state

    def pause(self) -> JobState:
        """Holds the job back, with all its parts, until it is resumed, whatever restarts meanwhile.

        One that runs saves its state at its next step and leaves its slot.

        Raises:
            InvalidSpec: it is a part, which is not paused alone.
        """
        return Pausing(self._records, self._store).pause(self._whole("pause"))

    def resume(self) -> JobState:
        """Lets a paused job go on, from where it was.

        Raises:
            InvalidSpec: it is a part.
        """
        return Pausing(self._records, self._store).resume(self._whole("resume"))

    def set_priority(self, priority: int) -> JobState:
        """Changes its place among the jobs that wait for a slot; of a running one, who may take its slot.

        Args:
            priority: 0 (most urgent) to 9.

        Raises:
            InvalidSpec: there is no such priority, the job has ended, or it is a part.
        """
        return set_priority(self._records, self._store, self._whole("change"), priority)

    def _whole(self, what: str) -> JobRecord:
        record = self.record
        if record.whole:
            raise InvalidSpec(f"{self.id} is a part of job {record.whole}: {what} that one")
        return record

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.kind} {self.state}>"

    def _repr_html_(self) -> str:
        from scheduler.display import as_html

        return as_html(self.record, self.newest_picture())
