"""What a filling of gaps computes, and what it leaves."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from jobs.errors import InvalidSpec
from jobs.names import JobField, JobName, TableName
from jobs.spec import JobResult, JobSpec

FillMethod = Literal["linear", "gaussian", "seasonal", "joint"]
_Column = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Filled(JobResult):
    """What a filling has come to."""

    series: int = Field(description="series")
    rows: int = Field(description="rows of all series")
    filled: int = Field(description="values that were missing and are filled")
    gaps: int = Field(description="runs of missing values")
    longest: int = Field(description="missing values in the longest of them")
    left: int = Field(
        description="values that stay missing: of columns that have none at all in their series"
    )
    season: int = Field(description="rows after which the series repeat; 1 if they do not")
    methods: dict[str, FillMethod] = Field(
        description="that filled, by the length of the gap from which on they do: the best on hidden values"
    )
    first: str = Field(description="the time of the first value that was filled; empty if none was")
    last: str = Field(description="the time of the last one")
    seconds: float = Field(description="of the last attempt")


class FillSeries(JobSpec[Filled], kind="selfsupervised.series.fill"):
    """Fills in what is missing in a table with time, with intervals, and says which values were filled."""

    imports: ClassVar[tuple[str, ...]] = ("scipy.linalg", "matplotlib.figure", "pyarrow.parquet")
    reuses_runner: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    dataset: TableName | None = Field(
        default=None, description="a table with time; by default the one that `model` was trained on"
    )
    model: Annotated[JobName, JobField("selfsupervised.series.train")] | None = Field(
        default=None, description="a training whose table and columns are taken where none are given"
    )
    targets: Annotated[tuple[_Column, ...], Field(max_length=10_000, strict=False)] = Field(
        default=(), description="columns to fill; none = all"
    )
    method: FillMethod | None = Field(
        default=None,
        description="linear interpolation, a Gaussian of the same column, one around the season, or one with "
        "other columns; by default the best on hidden values, for each length of gap",
    )
    level: float = Field(
        default=0.8, gt=0, lt=1, description="share of the values that an interval is to hold"
    )
    output: Literal["csv", "parquet"] = Field(default="csv", description="of the tables that are left")
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints"
    )

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if self.dataset is None and self.model is None:
            raise InvalidSpec(f"{self.kind}: field 'dataset' is required where no 'model' is given")
        return self

    def columns(self) -> Iterator[tuple[str, str, str]]:
        """See `JobSpec.columns`."""
        if self.dataset is not None:
            yield from (("targets", self.dataset, target) for target in self.targets)
