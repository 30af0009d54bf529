"""What is known of a job: its record, what makes one, and what those learn who change one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.context import Progress, StopReason
from jobs.dividing.parts import Part, Wanted
from scheduler.states import FailureCause, JobState


@dataclass(frozen=True)
class NewJob:
    """What the client asks for."""

    id: str
    kind: str
    pool: str
    priority: int
    spec: str  #: JSON, kind included
    attempts: int
    parents: Sequence[str] = ()
    inputs: dict[str, str] = field(default_factory=dict)  #: data set name -> digest that it is pinned to
    names: dict[str, str] = field(default_factory=dict)  #: of the fields that named a job by a model's name
    start_at: float = 0.0  #: seconds since 1970; not before this
    fingerprint: str = ""  #: equal for equivalent jobs
    #: What it refers to (`references.py`), its parents' included: none of that is deleted before it ends.
    refers: Sequence[str] = ()
    archived: Sequence[str] = ()  #: those of its parents that are in the archive
    key: str = ""  #: digest of the idempotency key that it was submitted with
    division: str = ""  #: JSON of a `Division`, if it is to be divided
    schedule: str = ""  #: JSON of the tick that it is for
    #: Of a job rebuilt from the store: what is known of its past.
    past: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Division:
    """How a job is to be divided.

    Attributes:
        parts: how many parts, as a person wants it.
        reuse: whether parts that a job before has left will do as well.
    """

    parts: Wanted
    reuse: bool = False


@dataclass(frozen=True)
class NewPart:
    """A part as it is entered.

    Attributes:
        id: its own; or, of one that a job before has left, that one.
        part: which rows.
        fingerprint: equal for equivalent parts.
        complete: whether its result is in the store.
        attempt: the last number that was given to an attempt at it.
    """

    id: str
    part: Part
    fingerprint: str
    complete: bool = False
    attempt: int = 0


@dataclass(frozen=True)
class JobRecord:
    """A job as Redis knows it. Times are seconds since 1970 by Redis's clock."""

    id: str
    kind: str
    state: JobState
    pool: str
    priority: int
    spec: dict[str, Any]
    created: float
    attempt: int
    failures: int
    inputs: dict[str, str]
    parents: tuple[str, ...]
    started: float | None
    attempt_started: float | None
    finished: float | None
    worker: str
    cause: FailureCause | None
    message: str
    progress: Progress | None
    cancel_requested: bool
    preempted: bool  #: this attempt was asked to leave its slot to a more urgent job
    fingerprint: str
    division: Division | None = None  #: of a job that is to be divided
    parts: int = 0  #: that it was divided into; 0 before that
    parts_done: int = 0
    whole: str = ""  #: of a part, the job that it is of
    part: Part | None = None
    pause_requested: bool = False  #: it is to be held back, or is
    schedule: str = ""  #: the name of the schedule that it is of
    tick: float | None = None  #: of that schedule, in seconds since 1970; None if a person wanted the job
    refers: tuple[str, ...] = ()  #: targets that are not deleted before it has ended
    archived: bool = False  #: no longer in Redis
    removed: tuple[str, ...] = ()  #: what of it was deleted: "checkpoints", or those and "artifacts"
    names: dict[str, str] = field(default_factory=dict)  #: of fields that named a job by a model's name

    @classmethod
    def of(cls, fields: dict[str, str]) -> "JobRecord":
        """The record in the fields of a hash."""
        schedule = json.loads(fields.get("schedule", "{}"))
        return cls(
            id=fields["id"],
            kind=fields["kind"],
            state=JobState(fields["state"]),
            pool=fields["pool"],
            priority=int(fields["priority"]),
            spec=json.loads(fields.get("spec", "{}")),
            created=float(fields["created"]),
            attempt=int(fields["attempt"]),
            failures=int(fields["failures"]),
            inputs=json.loads(fields.get("inputs", "{}")),
            parents=tuple(json.loads(fields.get("parents", "[]"))),
            started=_time(fields.get("started")),
            attempt_started=_time(fields.get("attempt_started")),
            finished=_time(fields.get("finished")),
            worker=fields.get("worker", ""),
            cause=FailureCause(fields["cause"]) if fields.get("cause") else None,
            message=fields.get("message", ""),
            progress=Progress(**json.loads(fields["progress"])) if fields.get("progress") else None,
            cancel_requested=fields.get("cancel") == "1",
            pause_requested=fields.get("pause") == "1",
            preempted=fields.get("preempt") == fields["attempt"],
            fingerprint=fields["fingerprint"],
            division=Division(**json.loads(fields["division"])) if fields.get("division") else None,
            parts=int(fields.get("parts", 0)),
            parts_done=int(fields.get("parts_done", 0)),
            whole=fields.get("whole", ""),
            part=Part(**json.loads(fields["part"])) if fields.get("part") else None,
            schedule=schedule.get("name", ""),
            tick=schedule.get("moment"),
            refers=tuple(json.loads(fields["refers"])) if fields.get("refers") else (),
            archived=fields.get("archived") == "1",
            removed=tuple(fields["removed"].split(",")) if fields.get("removed") else (),
            names=json.loads(fields.get("names", "{}")),
        )


@dataclass(frozen=True)
class Renewal:
    """What a worker learns when it renews a lease."""

    wish: StopReason | None
    progress: Progress | None
    progressed: float | None  #: when the last report came, by Redis's clock


@dataclass(frozen=True)
class Sweep:
    """What one round of recovery did and found due."""

    lost: Sequence[str]  #: jobs whose lease ran out
    unpublished: Sequence[str]  #: queued jobs whose message has to be sent


def _time(text: str | None) -> float | None:
    return float(text) if text else None
