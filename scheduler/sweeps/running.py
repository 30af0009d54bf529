"""The scheduler's part in sweeps: it asks for trials, submits them, and ends the sweep."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from threading import Event
from typing import TYPE_CHECKING, Any, cast

from redis.exceptions import RedisError

from jobs.errors import InvalidSpec, TriptychError
from jobs.extending.specs import TrainingSpec
from jobs.spec import JobSpec
from scheduler.errors import NotInstalled, Refused, Unreachable
from scheduler.leader import Leader
from scheduler.states import JobState
from scheduler.sweeps.plan import Plan, best, plan, told_before
from scheduler.sweeps.stored import ACTIVE, StoredSweep, read
from scheduler.sweeps.sweep import SweepSpec, SweepState, Trial, job_of

if TYPE_CHECKING:
    from scheduler.client import Client
    from scheduler.sweeps.search import Search

logger = logging.getLogger(__name__)

#: Seconds for which it waits for an event of a trial, so that a request to stop is soon seen.
_BLOCK = 0.5
#: Seconds between two looks at sweeps of which no trial is under way.
_QUICK = 0.02


class Running:
    """Moves every sweep on. Several may run; one leads, and a late one does no harm.

    What it keeps in memory follows from the store: another process that takes over comes to the same.
    """

    def __init__(self, client: "Client", seconds: float) -> None:
        """Takes how often it looks."""
        self._client = client
        self._leader = Leader(client.records.redis, "leader:sweeps", 5 * max(seconds, 1.0))
        self._seconds = seconds
        self._sweeps: dict[str, tuple[StoredSweep, Search]] = {}
        self._looked: dict[str, float] = {}  #: when each was looked at as a whole
        self._troubled: set[str] = set()  #: those that could not be moved on then
        self._seen: dict[str, str] = {}  #: job -> the newest event of it that was seen

    def step(self) -> bool:
        """Does what is due now; whether there is a sweep that this process moves on."""
        redis = self._client.records.redis
        active = sorted(cast("set[str]", redis.smembers(ACTIVE)))
        if not active or not self._leader.leads():
            self._sweeps.clear()  # another one moves them on; what is in memory here grows old
            self._looked.clear()
            return False
        for sweep_id in active:
            if time.monotonic() - self._looked.get(sweep_id, -math.inf) >= self._seconds:
                self._looked[sweep_id] = time.monotonic()
                self._try_to_move_on(sweep_id, whole=True)
            elif self._has_news(sweep_id):
                self._try_to_move_on(sweep_id, whole=False)
        return True

    def wait(self, stop: Event) -> None:
        """Waits until something may have happened to a trial, or it is time to look again."""
        jobs = {job for stored, _ in self._sweeps.values() for job in stored.under_way()}
        self._seen = {job: self._seen.get(job, "0") for job in jobs}
        if jobs:
            seconds = min(self._seconds, _BLOCK)
            self._seen |= self._client.records.streams.newer_events(self._seen, seconds)
        else:
            stop.wait(_QUICK)

    def _try_to_move_on(self, sweep_id: str, *, whole: bool) -> None:
        """One that cannot be moved on is tried again later, and keeps no other waiting."""
        try:
            self._move_on(sweep_id, whole=whole)
            self._troubled.discard(sweep_id)
            return
        except (Unreachable, Refused, RedisError, OSError) as error:
            logger.warning("sweep %s waits: %s", sweep_id, error)
        except TriptychError as error:
            logger.error("sweep %s cannot go on: %s", sweep_id, error)
        except Exception:
            logger.exception("sweep %s cannot go on", sweep_id)
        self._troubled.add(sweep_id)
        # The sampler may have been asked for what was not noted: what was noted counts, and is read again.
        self._sweeps.pop(sweep_id, None)

    def _has_news(self, sweep_id: str) -> bool:
        """Whether a trial has ended."""
        if sweep_id in self._troubled or sweep_id not in self._sweeps:
            return False
        jobs = self._sweeps[sweep_id][0].under_way()
        return not jobs or self._client.records.any_ended(jobs)

    def _move_on(self, sweep_id: str, *, whole: bool) -> None:
        """Asks for what is to come.

        Args:
            sweep_id: the sweep.
            whole: look also for what others may have done: ended it, or noted a trial and died.
        """
        stored, search = self._known(sweep_id)
        if whole and self._has_left(stored):
            return
        for number, rung, values in stored.missing() if whole else ():
            self._submit(stored, number, rung, values)
        trials = stored.trials(listed=False)
        if any(trial.cause == JobState.CANCELLED for trial in trials) and self._has_left(stored):
            return  # its trials were cancelled because it was
        step = plan(stored.definition.spec, trials)
        if step.state is not SweepState.RUNNING:
            self._end(stored, step, trials)
            return
        for number, rung in step.promote:
            values = stored.enter(number, rung, trials[number].values)["values"]
            self._submit(stored, number, rung, values)
        if step.ask:
            self._ask(stored, search, trials, step.ask)
        if step.ask or step.promote:
            self._client.removal.references.hold(f"sweep/{sweep_id}", stored.targets())

    def _known(self, sweep_id: str) -> "tuple[StoredSweep, Search]":
        try:
            from scheduler.sweeps.search import Search
        except ModuleNotFoundError as error:
            raise NotInstalled(
                f"the scheduler needs the package {error.name}, which comes with the extra `sweeps`"
            ) from None
        if sweep_id not in self._sweeps:
            stored = read(self._client.store, self._client.records, sweep_id)
            search, trials = Search(stored.definition.spec), stored.trials()
            for trial in trials:  # once more, in the order in which they were asked for
                _tell(search, stored.definition.spec, trial.number, trials)
                search.ask(trial.values)
            self._sweeps[sweep_id] = stored, search
        return self._sweeps[sweep_id]

    def _ask(self, stored: StoredSweep, search: "Search", trials: list[Trial], count: int) -> None:
        spec = stored.definition.spec
        for number in range(len(trials), len(trials) + count):
            _tell(search, spec, number, trials)
            values = search.ask()
            refused = ""
            try:
                spec.trial_spec(values)
            except InvalidSpec as error:
                refused = str(error)
            entry = stored.enter(number, 0, values, refused)
            if not entry.get("refused"):
                self._submit(stored, number, 0, entry["values"])

    def _submit(self, stored: StoredSweep, number: int, rung: int, values: Mapping[str, Any]) -> None:
        definition, client = stored.definition, self._client
        spec: JobSpec[Any] = definition.spec.trial_spec(values)
        if rung:
            earlier = client.get(job_of(definition.id, number, rung - 1))
            assert isinstance(spec, TrainingSpec)  # noqa: S101 - others take no rungs
            spec = spec.extended(earlier.id, definition.spec.rungs[rung], earlier.result())
        job_id = job_of(definition.id, number, rung)
        client.submit(spec, priority=definition.spec.priority, inputs=definition.inputs, job_id=job_id)
        logger.info("sweep %s: trial %d is job %s", definition.id, number, job_id)

    def _end(self, stored: StoredSweep, step: Plan, trials: list[Trial]) -> None:
        stored.end(step.state, step.message, best(stored.definition.spec, trials), trials)
        logger.info("sweep %s: %s %s", stored.definition.id, step.state, step.message)
        self._leave(stored)

    def _has_left(self, stored: StoredSweep) -> bool:
        if stored.result() is None:
            return False
        self._leave(stored)
        return True

    def _leave(self, stored: StoredSweep) -> None:
        """Lets go of a sweep that has ended; what still runs of it was not wanted any more."""
        for job_id in stored.unwanted(stored.trials()):
            self._client.get(job_id).cancel()
        self._client.removal.references.release(f"sweep/{stored.definition.id}")
        self._client.records.redis.srem(ACTIVE, stored.definition.id)
        self._sweeps.pop(stored.definition.id, None)


def _tell(search: "Search", spec: SweepSpec, number: int, trials: list[Trial]) -> None:
    for each, value in told_before(spec, number, trials).items():
        if each < search.asked:
            search.tell(each, value)


def run(make_client: "Callable[[], Client]", seconds: float, stop: Event) -> None:
    """Looks every so many seconds until told to stop; servers that are away are waited for."""
    running: Running | None = None
    pause = seconds
    while not stop.wait(pause):
        pause = seconds
        try:
            running = running or Running(make_client(), seconds)
            while running.step() and not stop.is_set():
                running.wait(stop)
        except (TriptychError, RedisError, OSError) as error:
            logger.warning("sweeps wait: %s", error)
        except Exception:
            logger.exception("sweeps are looked at again")  # rather than never
