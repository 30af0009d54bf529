"""Defining schedules: `client.schedules.add("nightly", "0 2 * * *", TrainGan(...))`."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import StrEnum
from secrets import token_hex
from typing import Any, TypeVar

from pydantic import TypeAdapter

from jobs import catalog
from jobs.dividing.parts import Wanted, checked_wanted
from jobs.errors import InvalidSpec
from jobs.spec import JobSpec
from scheduler.artifacts import ArtifactStore
from scheduler.errors import DAMAGES, UnknownArtifact
from scheduler.job import Job
from scheduler.keys import SCHEDULES, schedule_key
from scheduler.pools import DEFAULT_PRIORITY, checked_priority
from scheduler.records import Records
from scheduler.references import References
from scheduler.schedules.cron import Cron
from scheduler.schedules.records import ScheduleRecords
from scheduler.schedules.schedule import Definition, Missed, Overlap, Schedule, Tick

logger = logging.getLogger(__name__)

MemberT = TypeVar("MemberT", bound=StrEnum)


class Schedules:
    """The jobs that are submitted again and again, at times of the calendar.

    They are in the store, so that `triptych recover` brings them back if Redis has lost its data.
    """

    def __init__(
        self,
        records: Records,
        store: ArtifactStore,
        check: Callable[[JobSpec[Any]], tuple[JobSpec[Any], list[str]]],
        submit: Callable[..., Job[Any]],
    ) -> None:
        """Takes what makes a spec fit to be repeated and says what it refers to, and `Client.submit`."""
        self.records = ScheduleRecords(records.redis)
        self._store = store
        self._references = References(records.redis)
        self._check = check
        self._submit = submit

    def add(
        self,
        name: str,
        cron: str,
        spec: JobSpec[Any],
        *,
        timezone: str = "UTC",
        missed: Missed | str = Missed.ONCE,
        overlap: Overlap | str = Overlap.ALLOW,
        priority: int = DEFAULT_PRIORITY,
        parts: Wanted | None = None,
    ) -> Schedule:
        """Has a spec submitted at each tick of a cron expression, by the clock of Redis, from now on.

        Args:
            name: the name for it, such as `nightly`.
            cron: minute, hour, day of the month, month, day of the week; six fields begin with seconds.
            spec: what to submit; the data sets and models that it names are looked up at each tick.
            timezone: whose clocks the expression means, such as `Europe/Berlin`.
            missed: ticks that passed while no scheduler was up: "once" is one job for all, "skip" is none.
            overlap: a tick while an earlier job has not ended: "allow" is another job, "skip" is none,
                "cancel" ends the earlier one.
            priority: of its jobs, 0 (most urgent) to 9.
            parts: see `Client.submit`.

        Raises:
            InvalidSpec: there is a schedule of that name, the expression or zone is none, or the spec would
                be refused.
            UnknownDataSet: the spec names a data set that does not exist.
        """
        key = schedule_key(name)
        Cron(cron, timezone)
        if parts is not None:
            catalog.checked_divisible(spec.kind)
            parts = checked_wanted(parts)
        spec, refers = self._check(spec)
        definition = Definition(
            name=name,
            id=token_hex(8),
            cron=cron,
            timezone=timezone,
            spec=spec.to_wire(),
            refers=refers,
            missed=_member(Missed, missed, "missed"),
            overlap=_member(Overlap, overlap, "overlap"),
            priority=checked_priority(priority),
            parts=parts,
            since=self.records.now(),
        )
        if self.records.knows(name):
            raise InvalidSpec(_there_is(name))
        # The store first: what is in Redis can be rebuilt from it, not the other way round. One that is in
        # the store alone is of somebody who died in between.
        self._store.put_json(key, definition.to_json())
        self._references.hold(holder(name), refers)
        if not self.records.enter(definition):
            # Somebody has added one in this very moment, and it counts.
            other = self.get(name).definition()
            self._store.put_json(key, other.to_json())
            self._references.hold(holder(name), other.refers)
            raise InvalidSpec(_there_is(name))
        return self.get(name)

    def get(self, name: str) -> Schedule:
        """One schedule.

        Raises:
            UnknownSchedule: there is none of that name; the text has the names there are.
        """
        return self.records.get(name)

    def list(self) -> list[Schedule]:
        """All schedules, by name."""
        return self.records.all()

    def pause(self, name: str) -> Schedule:
        """Lets its ticks pass without a job until it is resumed. Its jobs go on.

        Raises:
            UnknownSchedule: there is none of that name.
        """
        return self._set_paused(self.get(name), True)

    def resume(self, name: str) -> Schedule:
        """Has its ticks count again; those that passed meanwhile are not made up for.

        Raises:
            UnknownSchedule: there is none of that name.
        """
        schedule = self.get(name)
        return self._set_paused(schedule, False) if schedule.paused else schedule

    def remove(self, name: str) -> None:
        """Removes a schedule. Its jobs stay, and go on.

        Raises:
            UnknownSchedule: there is none of that name.
        """
        key = schedule_key(name)
        if not self.records.knows(name) and not self._store.exists(key):
            self.get(name)  # which says so
        self._store.delete(key)  # first, so that what Redis has is never recovered
        self.records.remove(name)
        self._references.release(holder(name))

    def run(self, name: str) -> Job[Any]:
        """Submits its job at once, whatever the time, and though an earlier one may not have ended.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSpec: what it names is not there any more.
        """
        return self.submit(self.get(name), None)

    def submit(self, schedule: Schedule, moment: int | None) -> Job[Any]:
        """Submits the job of a tick, or one besides the ticks.

        Raises:
            TickTaken: the tick was dealt with, or the schedule paused or removed.
            TriptychError: as `Client.submit`.
        """
        spec = catalog.parse(schedule.spec)
        tick = Tick(schedule.name, schedule.id, moment)
        return self._submit(spec, priority=schedule.priority, parts=schedule.parts, tick=tick)

    def _set_paused(self, schedule: Schedule, paused: bool) -> Schedule:
        definition = replace(schedule.definition(), paused=paused, since=self.records.now())
        self._store.put_json(schedule_key(schedule.name), definition.to_json())
        if not self.records.set_paused(definition):  # removed in this very moment
            self._store.delete(schedule_key(schedule.name))
        return self.get(schedule.name)


def rebuild_schedules(records: Records, store: ArtifactStore) -> int:
    """Enters every schedule of the store that Redis does not know; how many.

    Ticks that have jobs are taken when those are entered.
    """
    entered = 0
    for definition in stored(store):
        if ScheduleRecords(records.redis).enter(definition):
            References(records.redis).hold(holder(definition.name), definition.refers)
            entered += 1
    return entered


def holder(name: str) -> str:
    """As which a schedule holds what it refers to."""
    return f"schedule/{name}"


def stored(store: ArtifactStore) -> Iterator[Definition]:
    """The schedules in the store; a damaged one is left out, and said."""
    checked = TypeAdapter(Definition)
    for item in [*store.under(SCHEDULES)]:
        try:
            definition = checked.validate_python(vars(Definition.of(store.get_json(item.key))))
            Cron(definition.cron, definition.timezone)
        except UnknownArtifact:  # removed since it was listed
            continue
        except (*DAMAGES, InvalidSpec) as error:
            logger.warning(
                "%s is left out: it is no schedule (%s: %s)", item.key, type(error).__name__, error
            )
            continue
        yield definition


def _there_is(name: str) -> str:
    return f"there is a schedule {name!r} already: `triptych schedule remove {name}` removes it"


def _member(kind: type[MemberT], value: str, what: str) -> MemberT:
    if value not in list(kind):
        raise InvalidSpec(f"{what} is {value!r}; allowed are {', '.join(kind)}")
    return kind(value)
