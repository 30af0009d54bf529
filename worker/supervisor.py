"""One attempt at a job: a runner is started, watched, and ended; then the job is settled or given back."""

import logging
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Event

from redis.exceptions import RedisError

from jobs import catalog
from jobs.context import StopReason
from jobs.spec import Limits
from scheduler.artifacts import ArtifactStore
from scheduler.division import divide
from scheduler.errors import StoreRefused, Unreachable
from scheduler.keys import JobKeys
from scheduler.logs import live_output, stored_log
from scheduler.record import JobRecord
from scheduler.records import Records
from scheduler.settings import LeaseSettings
from scheduler.states import FailureCause, JobState
from worker.lease import Lease
from worker.memory import kills, private, size
from worker.places import Places
from worker.runner_pool import RunnerPool
from worker.runners import Outcome, Runner, assignment_of
from worker.uploads import patiently

logger = logging.getLogger(__name__)

#: Seconds before a failed attempt is tried again, doubled each time.
_RETRY_SECONDS = 2.0
_LONGEST_RETRY_SECONDS = 60.0
#: Seconds between two tries at telling Redis how an attempt ended.
_INSIST_SECONDS = 0.2
#: Failures that are none of the process's, so that a job that shared one with others would fail again.
_OF_THE_JOB = (FailureCause.BAD_INPUT, FailureCause.STORAGE)
#: Wishes for which a job may take its time, with what is said of an attempt that they ended.
_PATIENT = {
    StopReason.PREEMPT: "a more urgent job took its slot",
    StopReason.PAUSE: "it was paused",
}


@dataclass(frozen=True)
class Ending:
    """How an attempt ended: the state of the job now, or None if it is no longer this worker's to say."""

    state: JobState | None
    cause: FailureCause | None = None
    message: str = ""
    divided: bool = False  #: whether its parts are to be published
    line: str = ""  #: how far it came


@dataclass(frozen=True)
class Machinery:
    """What every attempt on this worker uses."""

    records: Records
    store: ArtifactStore
    places: Places
    lease: LeaseSettings
    draining: Event  #: set when the worker is to go away
    memory: int  #: bytes that a job may hold
    seat: str = ""  #: the mark of this worker's place


class Attempt:
    """One attempt, from the claimed record to its end."""

    def __init__(self, machinery: Machinery, job: JobRecord, show: Callable[[str], None]) -> None:
        self._machinery = machinery
        self._job = job
        self._show = show  #: puts a line into the job's row in Flower
        self._limits = Limits.model_validate(job.spec.get("limits", {}))
        self._keys = JobKeys(job.id)
        self._ended_for: FailureCause | None = None  #: why this supervisor ended the runner, if it did
        self._end_message = ""
        self._wish: StopReason | None = None
        self._wished_at = 0.0
        self._shown = ""
        self._kills = kills()
        self._used = False  #: whether the runner has run another job before

    def run(self, runners: RunnerPool, claimed: float) -> Ending:
        """Runs the job and says how it ended.

        Args:
            runners: of the place that it has.
            claimed: when Redis was asked for the job, by `time.monotonic`.
        """
        machinery, job = self._machinery, self._job
        # Held through everything that may take long: the log of the attempt before, and that of this one.
        with Lease(machinery.records, job.id, job.attempt, machinery.lease, claimed) as lease:
            self._rescue_log(job.attempt - 1)
            kind = catalog.spec_type(job.kind)
            # A second attempt has a process of its own, whatever the first one may have suffered from. What
            # puts parts together comes after the attempt that planned them.
            runner = runners.take(kind, alone=job.attempt > (2 if job.parts else 1))
            well = False
            try:
                self._used = runner.jobs > 0
                lease.guard(runner)
                runner.assign(assignment_of(job))
                self._watch(runner, lease)
                self._pass_on_output(runner)
                # Upload before settling: a worker lost in between uploads again, and loses nothing.
                self._upload_log(runner)
                ending = self._settle(runner, lease)
                lease.release()  # told is told: a renewal would only be refused from now on
                ended_well = ending.state is JobState.SUCCEEDED or ending.divided
                well = ended_well and self._wish is None and not lease.lost
                return ending
            finally:
                lease.release()
                runners.give_back(runner, again=well and kind.reuses_runner)

    def _watch(self, runner: Runner, lease: Lease) -> None:
        """Passes on what runner and record have to say to each other, until the runner has ended."""
        began = progressed_at = time.monotonic()
        progressed: float | None = None
        while not runner.wait(self._machinery.lease.heartbeat_seconds):
            now = time.monotonic()
            renewal = lease.latest
            if renewal and renewal.progressed != progressed:
                progressed, progressed_at = renewal.progressed, now
            if renewal and renewal.progress and (line := renewal.progress.line(1)) != self._shown:
                self._shown = line
                self._show(line)
            self._pass_on_output(runner)
            self._pass_on_wishes(runner, renewal.wish if renewal else None)
            self._enforce_limits(runner, now - began, now - progressed_at)
            self._enforce_budget(runner)

    def _pass_on_wishes(self, runner: Runner, wish: StopReason | None) -> None:
        if wish is not StopReason.CANCEL and self._machinery.draining.is_set():
            wish = StopReason.DRAIN
        if wish is None:
            return
        if wish is not self._wish:
            self._wished_at = time.monotonic()
            self._wish = wish
            runner.ask_to_stop(wish)
        elif wish not in _PATIENT and self._patience_is_over():
            runner.kill()

    def _patience_is_over(self) -> bool:
        # Only who must go is killed: any other job that saves nothing would lose its steps.
        return time.monotonic() - self._wished_at > self._machinery.lease.stop_seconds

    def _enforce_limits(self, runner: Runner, ran: float, stalled: float) -> None:
        limits = self._limits
        if ran > limits.wall_seconds:
            self._end(
                runner, FailureCause.TIME_LIMIT, f"ran longer than its limit of {limits.wall_seconds:g} s"
            )
        elif stalled > limits.stall_seconds:
            self._end(runner, FailureCause.STALLED, f"reported no progress for {limits.stall_seconds:g} s")

    def _enforce_budget(self, runner: Runner) -> None:
        held, budget = private(runner.process.pid), self._machinery.memory
        if held > budget:
            message = (
                f"held {size(held)} of memory, and its slot has {size(budget)}: make the job smaller (batch, "
                "model, data), or give it more (TRIPTYCH_SLOT_MEMORY, fewer TRIPTYCH_SLOTS)"
            )
            self._end(runner, FailureCause.OUT_OF_MEMORY, message)

    def _end(self, runner: Runner, cause: FailureCause, message: str) -> None:
        self._ended_for, self._end_message = cause, message
        runner.kill()

    def _pass_on_output(self, runner: Runner) -> None:
        while text := runner.new_output():
            with suppress(RedisError, OSError):  # the whole log goes to the store anyway
                self._machinery.records.streams.add_log(self._job.id, self._job.attempt, text)

    def _upload_log(self, runner: Runner) -> None:
        outcome = runner.outcome()
        if outcome is not None and outcome.logged == runner.log.stat().st_size:
            return  # it has done so itself, beside its other files
        try:
            self._machinery.store.put_file(
                self._keys.log(self._job.attempt), runner.shown_log(), "text/plain"
            )
        except (Unreachable, StoreRefused) as error:
            logger.warning("job %s: its log could not be stored: %s", self._job.id, error)

    def _rescue_log(self, attempt: int) -> None:
        """Stores the log of an attempt whose worker was killed; Redis keeps it for a day only."""
        key = self._keys.log(attempt)
        try:
            if attempt and stored_log(self._machinery.store, self._job.id, attempt) is None:
                text = live_output(self._machinery.records, self._job.id, attempt)
                self._machinery.store.put(key, text.encode(), "text/plain")
        except (Unreachable, StoreRefused, RedisError) as error:
            logger.warning("job %s: the log of attempt %d is lost: %s", self._job.id, attempt, error)

    def _settle(self, runner: Runner, lease: Lease) -> Ending:
        while not lease.lost:
            try:
                return self._say_how_it_ended(runner)
            except (RedisError, OSError) as error:
                # Until Redis has heard it: said twice, it does no harm.
                logger.warning("job %s: its end could not be told: %s", self._job.id, error)
                time.sleep(_INSIST_SECONDS)
        return Ending(None, message="the lease was lost")

    def _say_how_it_ended(self, runner: Runner) -> Ending:
        outcome = runner.outcome()
        if outcome is not None and outcome.status == "lost":
            return Ending(None, message=outcome.message)
        if outcome is not None and outcome.status == "succeeded":
            return replace(self._finish(JobState.SUCCEEDED), line=outcome.line)
        if self._wish is StopReason.CANCEL:
            return self._finish(JobState.CANCELLED)
        if outcome is not None and outcome.status == "divided":
            return self._divide()
        if outcome is not None and outcome.status == "stopped" and self._wish in _PATIENT:
            return self._give_back(charged=False, message=_PATIENT[self._wish])
        if self._wish is StopReason.DRAIN and (outcome is None or outcome.status == "stopped"):
            return self._give_back(charged=False, message="its worker was drained")
        cause, message = self._failure(runner, outcome)
        if self._used and cause not in _OF_THE_JOB:
            return self._give_back(
                charged=False,
                cause=cause,
                message=f"{message}; tried again in a process that has run no other job",
            )
        return self._fail(cause, message)

    def _divide(self) -> Ending:
        held = patiently(lambda: divide(self._machinery.records, self._machinery.store, self._job))
        return Ending(JobState.WAITING if held else None, message="waits for its parts", divided=held)

    def _failure(self, runner: Runner, outcome: Outcome | None) -> tuple[FailureCause, str]:
        if self._ended_for is not None:
            return self._ended_for, self._end_message
        if outcome is not None and outcome.cause:
            return FailureCause(outcome.cause), outcome.message
        code = runner.process.poll() or 0
        if code == -signal.SIGKILL and kills() > self._kills:
            return FailureCause.OUT_OF_MEMORY, "the system ended its process for want of memory"
        if code < 0:
            name = signal.Signals(-code).name
            hint = ", perhaps for want of memory" if code == -signal.SIGKILL else ""
            return FailureCause.WORKER_LOST, f"its process was ended by {name}{hint}"
        return FailureCause.WORKER_LOST, f"its process ended with code {code} before the job did"

    def _fail(self, cause: FailureCause, message: str) -> Ending:
        if not cause.can_pass:
            return self._finish(JobState.FAILED, cause, message)
        failures = self._machinery.records.get(
            self._job.id
        ).failures  # forgiven, if it has saved something new
        delay = min(_RETRY_SECONDS * 2**failures, _LONGEST_RETRY_SECONDS) if failures else 0.0
        # The first time at once: what goes on from a checkpoint loses no time to somebody's kill.
        return self._give_back(charged=True, cause=cause, message=message, delay=delay)

    def _finish(self, state: JobState, cause: FailureCause | None = None, message: str = "") -> Ending:
        job = self._job
        held = self._machinery.records.settle(job.id, job.attempt, state, cause, message)
        return Ending(state if held else None, cause, message)

    def _give_back(
        self, *, charged: bool, message: str, cause: FailureCause | None = None, delay: float = 0.0
    ) -> Ending:
        state = self._machinery.records.give_back(
            self._job.id, self._job.attempt, charged=charged, cause=cause, message=message, delay=delay
        )
        return Ending(state, cause, message)
