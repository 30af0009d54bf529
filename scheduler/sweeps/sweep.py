"""What a sweep searches, and what is known of its trials: data that is never changed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from jobs import catalog
from jobs.errors import InvalidSpec
from jobs.extending.specs import TrainingSpec
from jobs.spec import Frozen, JobSpec
from scheduler.sweeps.metrics import check_metric
from scheduler.sweeps.spaces import Floats, Range

Sampler = Literal["tpe", "random", "grid"]
#: Trials that fail one after the other, with the same cause, before the sweep ends with it.
FAILURES = 3


class SweepState(StrEnum):
    """Where a sweep stands."""

    RUNNING = "RUNNING"  #: trials are asked for, or run
    SUCCEEDED = "SUCCEEDED"  #: all trials have ended, and one of them is the best
    FAILED = "FAILED"  #: trials failed one after the other, or all of them did
    CANCELLED = "CANCELLED"  #: a person has ended it


class SweepSpec(Frozen):
    """What is searched, and how.

    Attributes:
        base: the spec of every trial as JSON, with `kind`, but for the fields in `space`.
        space: the fields that are searched.
        metric: of the result, by its path, such as `validation.macro_f1`.
        direction: whether a smaller ("min") or a larger ("max") value is better.
        trials: in all.
        at_once: that are asked for together, and run beside each other.
        seed: of the sampler; the seed of the trials is a field of the spec like others.
        sampler: tpe = tree-structured Parzen estimator (Bergstra et al. 2011), random, or grid.
        rungs: successive halving (Jamieson and Talwalkar 2016): epochs after which trials are compared.
        reduction: one of so many trials goes on to the next rung.
        asynchronous: a trial that has ended is followed by the next at once: faster, and not reproducible.
        priority: of the jobs, 0 (most urgent) to 9.
    """

    base: dict[str, Any]
    space: dict[str, Range] = Field(min_length=1)
    metric: str = Field(min_length=1, max_length=200)
    direction: Literal["min", "max"]
    trials: int = Field(ge=1, le=100_000)
    at_once: int = Field(default=1, ge=1, le=1_000)
    seed: int = Field(default=0, ge=0, lt=2**31)
    sampler: Sampler = "tpe"
    rungs: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(max_length=20, strict=False)] = ()
    reduction: int = Field(default=3, ge=2, le=100)
    asynchronous: bool = False
    priority: int = Field(default=5, ge=0, le=9)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        kind = catalog.spec_type(str(self.base.get("kind")))
        if unknown := sorted(self.space.keys() - kind.model_fields.keys()):
            known = ", ".join(sorted(kind.model_fields))
            raise InvalidSpec(
                f"sweep: {kind.kind} has no field {unknown[0]!r} to search; its fields are {known}"
            )
        if doubled := sorted(self.space.keys() & self.base.keys()):
            raise InvalidSpec(f"sweep: field {doubled[0]!r} is searched, and has a value: give one of them")
        check_metric(kind, self.metric)
        if self.rungs and not issubclass(kind, TrainingSpec):
            raise InvalidSpec(f"sweep: 'rungs' need a kind that can be extended, and {kind.kind} cannot")
        for name, value in ((name, value) for name, one in self.space.items() for value in one.corners()):
            self.trial_spec({**self._first(), name: value})
        self._check_rungs()
        if self.sampler == "grid":
            self._check_grid()
        return self

    def _check_rungs(self) -> None:
        if not self.rungs:
            return
        if list(self.rungs) != sorted(set(self.rungs)):
            raise InvalidSpec(f"sweep: 'rungs' should rise, received {list(self.rungs)}")
        if "epochs" in self.space or "epochs" in self.base:
            raise InvalidSpec("sweep: 'rungs' say for how many epochs trials run; leave out 'epochs'")
        for name, value in ((name, v) for name, one in self.space.items() for v in one.corners()):
            spec = self.trial_spec({**self._first(), name: value})
            assert isinstance(spec, TrainingSpec)  # noqa: S101 - looked at before
            spec.extended("a-trial", self.rungs[0] + 1)  # says so, if it depends on the number of epochs

    def _check_grid(self) -> None:
        if free := sorted(name for name, one in self.space.items() if isinstance(one, Floats)):
            raise InvalidSpec(
                f"sweep: the sampler 'grid' takes integers and choices, and {free[0]!r} is "
                f"{self.space[free[0]]}; give the values to try as choice(...)"
            )

    def _first(self) -> dict[str, Any]:
        return {name: one.corners()[0] for name, one in self.space.items()}

    def trial_spec(self, values: Mapping[str, Any], epochs: int | None = None) -> JobSpec[Any]:
        """The spec of a trial.

        Raises:
            InvalidSpec: the values do not fit together.
        """
        epochs = epochs or (self.rungs[0] if self.rungs else None)
        return catalog.parse({**self.base, **values, **({"epochs": epochs} if epochs else {})})

    def better(self, one: float, other: float) -> bool:
        """Whether one value is better than another."""
        return one < other if self.direction == "min" else one > other


@dataclass(frozen=True)
class Outcome:
    """How far a trial came in one rung.

    Attributes:
        job: the id of its job.
        ended: whether it has.
        value: of the metric; None if it failed, or has not ended.
        cause: why it failed, in a word.
        message: the same in a sentence.
        state: of its job.
    """

    job: str
    ended: bool = False
    value: float | None = None
    cause: str = ""
    message: str = ""
    state: str = ""


@dataclass(frozen=True)
class Trial:
    """One set of values.

    Attributes:
        number: from 0, in the order in which they were asked for.
        values: of the fields that are searched.
        outcomes: by rung, from the first; one if there are no rungs.
        refused: why its values make no spec, if they do not.
    """

    number: int
    values: Mapping[str, Any]
    outcomes: Sequence[Outcome] = field(default=())
    refused: str = ""

    @property
    def failed(self) -> bool:
        """Whether it has ended without a value."""
        return bool(self.refused) or any(each.ended and each.value is None for each in self.outcomes)

    @property
    def cause(self) -> str:
        """Why."""
        return self.refused or next((each.cause for each in self.outcomes if each.cause), "")

    def value(self, rung: int) -> float | None:
        """What it came to in a rung; None if it has not, or failed."""
        return self.outcomes[rung].value if rung < len(self.outcomes) else None

    def ended(self, rung: int) -> bool:
        """Whether it has ended in a rung, or failed before."""
        return self.failed or (rung < len(self.outcomes) and self.outcomes[rung].ended)


def job_of(sweep_id: str, number: int, rung: int) -> str:
    """The id of the job of a trial: the same whoever submits it, so that there is only one."""
    return hashlib.sha256(f"{sweep_id}/{number}/{rung}".encode()).hexdigest()[:16]
