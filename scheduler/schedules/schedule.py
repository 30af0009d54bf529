"""A schedule: what is to be submitted, and when."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

from jobs.dividing.parts import Wanted
from scheduler.schedules.cron import Cron


class Missed(StrEnum):
    """What becomes of the ticks that passed while no scheduler was up."""

    ONCE = "once"  #: one job for all of them
    SKIP = "skip"  #: no job


class Overlap(StrEnum):
    """What becomes of a tick while an earlier job of the schedule has not ended."""

    ALLOW = "allow"  #: another job
    SKIP = "skip"  #: no job
    CANCEL = "cancel"  #: another job, and the earlier one is cancelled


@dataclass(frozen=True)
class Definition:
    """A schedule as a person has defined it, and as the store keeps it. Times are seconds since 1970.

    Attributes:
        name: the name for it.
        id: its own; a schedule that is removed and added again has another one.
        cron: when, as a cron expression.
        timezone: whose clocks that means.
        spec: what to submit; the data sets and models that it names are looked up at each tick.
        missed: what becomes of ticks that passed while no scheduler was up.
        overlap: what becomes of a tick while an earlier job has not ended.
        priority: of its jobs.
        parts: into how many parts its jobs are divided.
        refers: what is not deleted while it is there (`scheduler/references.py`).
        since: ticks up to then count neither as due nor as missed: it was added, or resumed.
        paused: whether its ticks pass without a job.
    """

    name: str
    id: str
    cron: str
    timezone: str
    spec: dict[str, Any]
    missed: Missed
    overlap: Overlap
    priority: int
    parts: Wanted | None
    since: float
    refers: list[str]
    paused: bool = False

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """The definition in the JSON data of one; what a later version has added to it is left out."""
        known = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        return cls(**known | {"missed": Missed(data["missed"]), "overlap": Overlap(data["overlap"])})

    def to_json(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)

    @cached_property
    def ticks(self) -> Cron:
        """The moments at which it is due."""
        return Cron(self.cron, self.timezone)


@dataclass(frozen=True)
class Schedule(Definition):
    """A schedule as it stands.

    Attributes:
        last: the last tick that was dealt with, or since when it is there.
        last_job: the id of its newest job, or "".
        note: why the last tick has led to no job, or "".
    """

    last: float = 0.0
    last_job: str = ""
    note: str = ""

    @classmethod
    def read(cls, found: dict[str, str]) -> "Schedule":
        """The schedule in the fields of a hash."""
        data = json.loads(found["definition"])
        return cls.of(
            data
            | {
                "paused": found["paused"] == "1",
                "last": float(found["last"]),
                "last_job": found.get("last_job", ""),
                "note": found.get("note", ""),
            }
        )

    def definition(self) -> Definition:
        """What a person has defined."""
        own = {field.name for field in fields(Definition)}
        return Definition.of({name: value for name, value in asdict(self).items() if name in own})

    def following(self, moment: float, count: int = 3) -> list[int]:
        """The next ticks after a moment, in seconds since 1970; none while it is paused."""
        return [] if self.paused else self.ticks.following(moment, count)


@dataclass(frozen=True)
class Tick:
    """What a job of a schedule came from.

    Attributes:
        name: of the schedule.
        id: of the schedule.
        moment: the tick, in seconds since 1970; None: a person wanted a job at once.
    """

    name: str
    id: str
    moment: int | None = None

    @property
    def job_id(self) -> str:
        """The id of the job of this tick: the same whoever submits it, so that there is one."""
        return hashlib.sha256(f"{self.id} {self.moment}".encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """As JSON; without a moment where there is none."""
        return json.dumps({key: value for key, value in asdict(self).items() if value is not None})
