"""What to compute, as frozen and validated data."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails

from jobs.datasets.readable import one_line
from jobs.errors import InvalidSpec
from jobs.names import DataSetField, JobField

#: Any: on a GPU while a worker with one is alive, else on a CPU.
Pool = Literal["cpu", "gpu", "any"]
#: What pydantic says around what is allowed.
_OWN_WORDS = re.compile(
    r"^(Value error, )?((Input|String|Tuple|List) (?=should))?| after validation, not \d+$"
)
#: Characters that a refusal shows of what was received.
SHOWN = 80


class Frozen(BaseModel):
    """Data that is never changed: unknown fields and wrong types are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class JobResult(Frozen):
    """What a finished job leaves as data; its files are artifacts. Base of every kind's result."""


ResultT = TypeVar("ResultT", bound=JobResult)


class Limits(Frozen):
    """What a job may take before it is ended."""

    wall_seconds: float = Field(
        default=24 * 3600, gt=0, le=90 * 24 * 3600, description="longest run of one attempt, in seconds"
    )
    stall_seconds: float = Field(
        default=900, ge=5, le=24 * 3600, description="longest time without a report of progress, in seconds"
    )
    attempts: int = Field(default=5, ge=1, le=100, description="attempts without a new checkpoint in between")


class JobSpec(Frozen, Generic[ResultT]):
    """Base of every spec: `class TrainGan(JobSpec[GanResult], kind="gan.train")`.

    Constructing one validates it.

    Raises:
        InvalidSpec: one sentence that names the field, what was received and what is allowed.
    """

    kind: ClassVar[str] = ""  #: name on the wire, `family.action`; also the Celery task's name
    result_type: ClassVar[type[JobResult]] = JobResult
    #: Modules that a runner may import ahead of the job, because they are slow to import.
    imports: ClassVar[tuple[str, ...]] = ()
    #: Whether a process that has done a job of this kind may take another one. Only what reads a model, and
    #: depends on nothing but its spec, may say so: never a training.
    reuses_runner: ClassVar[bool] = False
    #: Whether its rows may be computed by many workers: see `jobs.dividing.parts`.
    divisible: ClassVar[bool] = False

    pool: Pool = Field(
        default="cpu", description="where the job may run; any = on a GPU while there is a worker with one"
    )
    seed: int = Field(
        default=0, ge=0, lt=2**31, description="the same seed gives the same result, bit for bit"
    )
    limits: Limits = Field(default_factory=Limits, description="time limits and number of attempts")

    def __init_subclass__(cls, kind: str = "", **keywords: Any) -> None:
        # Takes `kind` out of the way: the next in line, Generic, accepts no keywords.
        super().__init_subclass__(**keywords)

    @classmethod
    def __pydantic_init_subclass__(cls, kind: str = "", **keywords: Any) -> None:
        super().__pydantic_init_subclass__(**keywords)
        if not kind:
            return
        cls.kind = kind
        for base in cls.__mro__:
            arguments = getattr(base, "__pydantic_generic_metadata__", {}).get("args", ())
            if arguments and isinstance(arguments[0], type):
                cls.result_type = arguments[0]
                break

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_sentence(cls, data: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return validate(data)
        except ValidationError as error:
            raise InvalidSpec(describe(cls, error)) from None

    def to_wire(self) -> dict[str, Any]:
        """The spec as JSON data, its kind included."""
        return {"kind": self.kind, **self.model_dump(mode="json")}

    def named_sets(self) -> Iterator[tuple[str, str, str]]:
        """Yields (field, data set name, content it must have) for every field that names a data set."""
        for field, marker in self.marked(DataSetField):
            if (name := getattr(self, field)) is not None:
                yield field, name, marker.content

    def named(self, marker: type[Any]) -> Iterator[tuple[str, str]]:
        """Yields (field, value) for every field that has a mark of this class and a value."""
        for field, _ in self.marked(marker):
            if (name := getattr(self, field)) is not None:
                yield field, name

    def columns(self) -> Iterator[tuple[str, str, str]]:
        """Yields (field, data set name, column) for every field that names a column of a data set."""
        yield from ()

    def labelled(self) -> Iterator[tuple[str, str, int]]:
        """Yields (field, data set name, classes) for every data set whose images need labels of so many."""
        yield from ()

    def parents(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Yields (field, job id, allowed kinds) for every field that names another job."""
        for field, marker in self.marked(JobField):
            if (job_id := getattr(self, field)) is not None:
                yield field, job_id, marker.kinds or (self.kind,)

    @classmethod
    def marked(cls, marker: type[Any]) -> Iterator[tuple[str, Any]]:
        """Yields (field, mark) for every field that has a mark of this class."""
        for field, info in cls.model_fields.items():
            for item in (*info.metadata, *_annotations(info.annotation)):
                if isinstance(item, marker):
                    yield field, item


def _annotations(annotation: Any) -> Iterator[Any]:
    """What is annotated inside a type: `Annotated[str, JobField()] | None` marks the field, too."""
    yield from getattr(annotation, "__metadata__", ())
    for argument in get_args(annotation):
        yield from _annotations(argument)


def describe(spec: type[JobSpec[Any]], error: ValidationError) -> str:
    """One sentence for a person: which fields are wrong, what was received, what is allowed."""
    faults = []
    for fault in error.errors(include_url=False):
        if fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"]:
            continue  # it counts the right entries alone, and the wrong ones are named themselves
        field = ".".join(str(part) for part in fault["loc"]) or "spec"
        if fault["type"] == "extra_forbidden":
            allowed = ", ".join(sorted(_fields_around(spec, fault["loc"])))
            faults.append(f"unknown field {one_line(repr(field), SHOWN)}; its fields are {allowed}")
        elif fault["type"] == "missing":
            faults.append(f"field {field!r} is required")
        else:
            faults.append(f"field {field!r} {_wanted(spec, fault)}, received {_short(fault['input'])}")
    return f"{spec.kind or spec.__name__}: {'; '.join(faults)}"


def _wanted(spec: type[JobSpec[Any]], fault: ErrorDetails) -> str:
    """What is allowed, without the names that pydantic and Python have for it."""
    if fault["type"] in ("tuple_type", "list_type"):
        return "should be a list in square brackets"
    if fault["type"] == "model_type":
        fields = sorted(_fields_around(spec, (*fault["loc"], "")))
        return f"should be an object with some of the fields {', '.join(fields)}"
    return _OWN_WORDS.sub("", fault["msg"])


def _fields_around(model: type[BaseModel], path: tuple[int | str, ...]) -> Iterable[str]:
    """The fields of the model in which the last name of a path was looked for."""
    for part in path[:-1]:
        inner = model.model_fields[str(part)].annotation if part in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return model.model_fields


def _short(value: object) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
