"""What a job on time series computes, and what it leaves."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from jobs.errors import InvalidSpec
from jobs.extending.specs import Part, TrainingSpec
from jobs.imports import OF_NETWORKS
from jobs.names import JobField, JobName, TableName
from jobs.selfsupervised.series.uses import Filled, FillSeries
from jobs.spec import Frozen, JobResult, JobSpec

Method = Literal["network", "ridge", "seasonal-naive", "linear", "last"]
Format = Literal["csv", "parquet"]
Column = Annotated[str, StringConstraints(min_length=1, max_length=256)]
#: Not strict about tuple or list, which JSON cannot tell apart; strict about the texts in it.
Columns = Annotated[tuple[Column, ...], Field(max_length=10_000, strict=False)]
Level = Annotated[float, Field(gt=0, lt=1)]
Levels = Annotated[tuple[Level, ...], Field(min_length=1, max_length=19, strict=False)]
TrainedSeries = Annotated[JobName, JobField("selfsupervised.series.train")]

__all__ = [
    "EvaluateSeries",
    "FillSeries",
    "Filled",
    "Forecast",
    "ForecastSeries",
    "PointScores",
    "SeriesEvaluation",
    "TrainSeries",
    "TrainingFigures",
]


class PointScores(Frozen):
    """How far forecasts are from what came."""

    mse: float = Field(description="mean squared error of z-scores by the training part")
    mae: float = Field(description="mean absolute error of z-scores by the training part")


class TrainingFigures(JobResult):
    """What a training on series has come to."""

    method: Method = Field(description="that forecasts: the best on the validation part if none was given")
    window: int = Field(description="rows that a forecast looks back on")
    season: int = Field(description="rows after which the series repeat, as far as the training part tells")
    validation: dict[str, PointScores] = Field(
        description="of each method that was tried, on the validation part"
    )
    tried: dict[str, PointScores] = Field(
        description="of ridge regression, on the validation part, by the window it looks back on"
    )
    series: int = Field(description="series")
    rows: int = Field(description="rows of the training part, of all series")
    windows: int = Field(description="windows of the training part, of all series and columns")
    left_out: int = Field(
        description="windows of it left out: a value to forecast is missing, or half of those before"
    )
    steps: int = Field(description="training steps of the network; 0 if none was trained")
    seconds: float = Field(description="training time of the network in the last attempt")
    windows_per_second: float = Field(description="of the network, in the last attempt, compiling included")
    state_sha256: str = Field(description="digest of the final state; equal for equal specs, bit for bit")


class Forecast(JobResult):
    """What a forecast has come to."""

    series: int = Field(description="series")
    rows: int = Field(description="rows forecast, of all series and from all origins")
    origins: int = Field(description="moments from which it was forecast, of each series")
    empty: int = Field(
        description="columns of series that have no value to go by: their forecasts are missing"
    )
    method: Method = Field(description="that forecast")
    remarks: tuple[str, ...] = Field(
        default=(), strict=False, description="on intervals that rest on few values, or lie beside a forecast"
    )
    first: str = Field(description="the earliest time that was forecast")
    last: str = Field(description="the latest one")
    seconds: float = Field(description="of the last attempt")
    rows_per_second: float = Field(description="of the last attempt")


class SeriesEvaluation(JobResult):
    """How good forecasts and fillings are, beside the simplest methods."""

    method: Method = Field(description="that forecasts")
    windows: int = Field(description="windows of the test part, each once")
    left_out: int = Field(description="windows of the test part without a value to forecast, or to go by")
    values: int = Field(description="values that were forecast and are there")
    forecast: dict[str, PointScores] = Field(description="by method, over all windows of the test part")
    mase: dict[str, float | None] = Field(
        description="by method: mean absolute error over that of repeating the season in the training part"
    )
    smape: dict[str, float | None] = Field(
        description="by method: symmetric mean absolute percentage error, 0 to 200"
    )
    pinball: float = Field(description="mean pinball loss over the quantiles, in z-scores")
    pinball_units: float = Field(description="the same in the columns' own units, its mean over the columns")
    coverage: float = Field(description="share of values within the widest interval")
    nominal: float = Field(description="the share that this interval is to hold")
    by_column: dict[str, PointScores | None] = Field(
        description="of the method that forecasts, by column; None where it has no value in the test part"
    )
    values_by_column: dict[str, int] = Field(
        default={}, description="`values` by column; none in a result of an earlier version"
    )
    by_step: tuple[PointScores | None, ...] = Field(
        strict=False,
        description="of the method that forecasts, by row ahead; None where no value is there",
    )
    filling: dict[str, dict[str, float]] = Field(
        description="mean squared error of z-scores in gaps that are hidden, by their length and by method; "
        "`chosen` is what selfsupervised.series.fill takes by itself"
    )
    filling_coverage: dict[str, float] = Field(
        description="share of hidden values within the interval that is to hold as many as the forecasts', "
        "by the length of the gap"
    )


class TrainSeries(TrainingSpec[TrainingFigures], kind="selfsupervised.series.train"):
    """Learns to forecast time series without labels: ridge regression, or a network where that is better."""

    imports: ClassVar[tuple[str, ...]] = OF_NETWORKS

    dataset: TableName = Field(description="a table with time")
    targets: Columns = Field(default=(), description="columns to forecast; none = all but the known ones")
    known: Columns = Field(
        default=(),
        description="columns that are known ahead, and given in the rows after the last one to forecast",
    )
    horizon: int = Field(default=24, ge=1, le=10_000, description="rows to forecast")
    window: int | None = Field(
        default=None,
        ge=2,
        le=10_000,
        description="rows to look back on; by default the best of several on the validation part",
    )
    method: Method | None = Field(
        default=None,
        description="by default the network where it beats ridge regression on the validation part",
    )
    since: str | None = Field(default=None, max_length=40, description="leave out what was before this time")
    until: str | None = Field(
        default=None, max_length=40, description="leave out what was at this time or later"
    )
    validation: Part = Field(
        default=0.1,
        gt=0,
        description="rows before the test part to choose by: a share below 1, or their number",
    )
    test: Part = Field(
        default=0.2,
        gt=0,
        description="rows at the end that only evaluate looks at: a share below 1, or a number",
    )
    quantiles: Levels = Field(default=(0.1, 0.5, 0.9), description="levels of the intervals, rising")
    steps: int = Field(default=2_000, ge=1, le=10_000_000, description="training steps of the network, about")
    pretrain_share: float = Field(
        default=0.2, ge=0, lt=1, description="share of the steps that predict masked patches"
    )
    mask_share: float = Field(
        default=0.4, gt=0, lt=1, description="share of the patches that are masked then"
    )
    batch_size: int = Field(default=256, ge=1, le=65_536, description="windows a step of the network")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="of the network, at its highest")
    width: int = Field(default=64, ge=8, le=2_048, description="numbers in a token of the network")
    depth: int = Field(default=2, ge=0, le=24, description="blocks of the network")
    patch: int | None = Field(
        default=None, ge=1, le=1_000, description="rows in a token; by default about a twelfth of the window"
    )
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints while training"
    )

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if list(self.quantiles) != sorted(set(self.quantiles)):
            raise InvalidSpec(
                f"{self.kind}: field 'quantiles' should rise, without repeating, received {self.quantiles}"
            )
        if doubled := set(self.targets) & set(self.known):
            raise InvalidSpec(
                f"{self.kind}: {sorted(doubled)[0]!r} is in 'targets' and in 'known': what is known ahead is "
                "not forecast"
            )
        for field in ("validation", "test"):
            value = getattr(self, field)
            if value >= 1 and value != int(value):
                raise InvalidSpec(
                    f"{self.kind}: field {field!r} should be a share below 1 or a whole number of rows, "
                    f"received {value}"
                )
        if self.validation < 1 and self.test < 1 and self.validation + self.test >= 0.9:
            raise InvalidSpec(
                f"{self.kind}: 'validation' and 'test' leave nothing to train on, received {self.validation} "
                f"and {self.test}; together they are below 0.9"
            )
        for field in ("since", "until"):
            if (text := getattr(self, field)) is not None:
                _checked_time(self.kind, field, text)
        if self.start is not None and self.method not in (None, "network"):
            raise InvalidSpec(
                f"{self.kind}: field 'start' gives weights to the network, and method is {self.method!r}; "
                "leave one of them out"
            )
        return self

    def columns(self) -> Iterator[tuple[str, str, str]]:
        """See `JobSpec.columns`."""
        for field in ("targets", "known"):
            yield from ((field, self.dataset, column) for column in getattr(self, field))

    def depends_on_epochs(self) -> str | None:
        """See `TrainingSpec.depends_on_epochs`."""
        return "regression has none, and the network's learning rate rises and falls over all of its steps"


def _checked_time(kind: str, field: str, text: str) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise InvalidSpec(
            f"{kind}: field {field!r} should be a time such as 2023-01-01 or '2023-01-01 06:00', "
            f"received {text!r}"
        ) from None


class ForecastSeries(JobSpec[Forecast], kind="selfsupervised.series.forecast"):
    """Forecasts the rows after the last one, in the table's own columns and units."""

    imports: ClassVar[tuple[str, ...]] = OF_NETWORKS
    reuses_runner: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    model: TrainedSeries = Field(description="a job of selfsupervised.series.train")
    dataset: TableName | None = Field(
        default=None, description="a table with the same columns; by default the one that was trained on"
    )
    origins: int = Field(
        default=1, ge=1, le=100_000, description="moments to forecast from: the last one, and those before it"
    )
    stride: int | None = Field(
        default=None, ge=1, le=100_000, description="rows between two origins; by default the horizon"
    )
    output: Format = Field(default="csv", description="of the table that is left")
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints"
    )


class EvaluateSeries(JobSpec[SeriesEvaluation], kind="selfsupervised.series.evaluate"):
    """Measures forecasts and fillings on the test part, beside the simplest methods."""

    imports: ClassVar[tuple[str, ...]] = OF_NETWORKS

    model: TrainedSeries = Field(description="a job of selfsupervised.series.train")
    gaps: Annotated[tuple[Annotated[int, Field(ge=1, le=1_000)], ...], Field(max_length=8, strict=False)] = (
        Field(
            default=(1, 12, 24, 48),
            description="lengths of the gaps that are hidden and filled, as far as the test part has room; "
            "none = none",
        )
    )
    checkpoint_seconds: float = Field(
        default=30, ge=0, le=24 * 3600, description="seconds between checkpoints"
    )


#: One spec of the network, done in seconds: what the tests over the catalogue run.
SMALLEST = (
    TrainSeries(
        dataset="co2",
        horizon=4,
        window=16,
        method="network",
        steps=60,
        batch_size=64,
        width=8,
        depth=1,
        patch=4,
        seed=3,
    ),
)
