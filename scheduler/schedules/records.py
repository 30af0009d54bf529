"""Schedules in Redis, and every change to one."""

import json
from typing import cast

from redis import Redis

from scheduler.connection import PREFIX
from scheduler.errors import UnknownSchedule
from scheduler.schedules.schedule import Definition, Schedule, Tick
from scheduler.scripts import Scripts
from scheduler.states import JobState

_NAMES = f"{PREFIX}schedules"


class ScheduleRecords:
    """What Redis knows of the schedules."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._run = Scripts(redis).run

    def now(self) -> float:
        """Seconds since 1970 by Redis's clock, which alone decides what is due."""
        return float(self._run("now"))

    def enter(self, definition: Definition) -> bool:
        """Enters a schedule; False if there is one of that name."""
        return self._define("enter_schedule", definition)

    def knows(self, name: str) -> bool:
        """Whether there is a schedule of that name."""
        return bool(self._redis.exists(_key(name)))

    def set_paused(self, definition: Definition) -> bool:
        """Has its ticks pass without a job, or count, from now on; False if it is gone."""
        return self._define("pause_schedule", definition)

    def remove(self, name: str) -> bool:
        """Removes a schedule, not its jobs; False if there is none of that name."""
        with self._redis.pipeline() as pipeline:
            pipeline.delete(_key(name))
            pipeline.delete(_jobs(name))
            pipeline.srem(_NAMES, name)
            return bool(pipeline.execute()[0])

    def get(self, name: str) -> Schedule:
        """One schedule.

        Raises:
            UnknownSchedule: there is none of that name; the text has the names there are.
        """
        fields = cast("dict[str, str]", self._redis.hgetall(_key(name)))
        if not fields:
            names = ", ".join(schedule.name for schedule in self.all()) or "none"
            raise UnknownSchedule(f"there is no schedule {name!r}; there are: {names}")
        return Schedule.read(fields)

    def all(self) -> list[Schedule]:
        """All schedules, by name."""
        names = sorted(cast("set[str]", self._redis.smembers(_NAMES)))
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.hgetall(_key(name))
        return [Schedule.read(fields) for fields in pipeline.execute() if fields]

    def pass_over(self, tick: Tick, note: str) -> None:
        """A tick has led to no job; the note says why."""
        self._run("pass_tick", tick.to_json(), note)

    def unfinished(self, name: str) -> list[str]:
        """The jobs of a schedule that have not ended; kept unless they may overlap."""
        ids = sorted(cast("set[str]", self._redis.smembers(_jobs(name))))
        pipeline = self._redis.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hget(f"{PREFIX}job:{job_id}", "state")
        states = dict(zip(ids, pipeline.execute(), strict=True))
        ended = [job_id for job_id, state in states.items() if state is None or JobState(state).final]
        if ended:
            self._redis.srem(_jobs(name), *ended)
        return [job_id for job_id in ids if job_id not in ended]

    def _define(self, script: str, definition: Definition) -> bool:
        text, paused = json.dumps(definition.to_json()), int(definition.paused)
        return bool(self._run(script, definition.name, definition.id, text, definition.since, paused))


def _key(name: str) -> str:
    return f"{PREFIX}schedule:{name}"


def _jobs(name: str) -> str:
    return f"{PREFIX}schedule_jobs:{name}"
