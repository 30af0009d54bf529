"""Forecasts the rows after the last one of every series, or after several."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from jobs.context import JobContext
from jobs.datasets.tables.table import Table, chosen
from jobs.datasets.tables.writing import Layout, assemble
from jobs.dividing.parts import Cuts, Part, PartResult, Piece
from jobs.errors import BadInput
from jobs.selfsupervised.series.methods.method import Origins
from jobs.selfsupervised.series.panel import Panel, Rows, moments
from jobs.selfsupervised.series.pictures import forecasts, scenes
from jobs.selfsupervised.series.remarks import outside, remarks_of
from jobs.selfsupervised.series.shards import Shards
from jobs.selfsupervised.series.spec import Forecast, ForecastSeries
from jobs.selfsupervised.series.trained import Trained, load

Array = np.ndarray[Any, Any]

#: Series that are read and computed together. Cuts lie between such blocks, so that parts compute the same.
BLOCK = 1_024
#: Blocks in a part that is worth its beginning.
LEAST = 2
#: Digits that a forecast has, counted from the size of what the column's values differ by.
_DIGITS = 6
#: Series on the picture.
_DRAWN = 3


@dataclass(frozen=True)
class Asked:
    """What is to be forecast.

    Attributes:
        trained: by which model.
        table: of which table.
        name: of the table.
        ahead: int64 (origins,), rows before the end of a series that each origin is at, falling to 0.
    """

    trained: Trained
    table: Table
    name: str
    ahead: Array

    @classmethod
    def of(cls, spec: ForecastSeries, context: JobContext) -> "Asked":
        """What a spec asks for.

        Raises:
            BadInput: the model is none, the table has not its columns, or no series is so long.
        """
        trained = load(spec.model, context)
        name = spec.dataset or trained.spec.dataset
        table = context.table(name)
        trained.check(table, name)
        stride = spec.stride or trained.spec.horizon
        found = cls(trained, table, name, np.arange(spec.origins)[::-1] * stride)
        longest = int(np.diff(table.offsets).max(initial=0))
        if longest <= found.ahead[0]:
            raise BadInput(
                f"the longest series of {name!r} has {longest} rows, and {spec.origins} origins {stride} "
                f"rows apart begin {int(found.ahead[0])} rows before its end; ask for fewer 'origins', or a "
                "smaller 'stride'"
            )
        return found

    @property
    def layout(self) -> Layout:
        """The columns of the result: series, origin if there are several, time, and the numbers."""
        columns: list[tuple[str, Any]] = []
        if self.table.series_column:
            columns.append((self.table.series_column, "text"))
        if len(self.ahead) > 1:
            columns.append(("origin", "time"))
        columns.append((self.table.calendar.column, "time"))
        names = {name for name, _ in columns} | set(self.trained.columns)
        for column in self.trained.columns:
            columns.append((column, "number"))
            for level in self.trained.spec.quantiles:
                name = f"{column} {level:g}"
                while name in names:
                    name += "_"
                names.add(name)
                columns.append((name, "number"))
        return Layout(self.table, tuple(columns))

    def panel(self, first: int, end: int) -> tuple[Panel, Array]:
        """Some series, and the row after the last one that each is known to, int64 (series,)."""
        table, trained = _part(self.table, first, end), self.trained
        ends = ends_of(table, trained)
        known_to = np.maximum(ends - self.ahead[0], 0)
        rows, known = Rows.between(table), trained.spec.known
        return Panel(table, rows, trained.columns, known, known_to, trained.season), ends


def ends_of(table: Table, trained: Trained) -> Array:
    """The row after the last one of each series, int64 (series,).

    Rows at the end that only give what is known ahead are not counted: they are to be forecast.
    """
    lengths = np.diff(table.offsets).astype(np.int64)
    if not trained.spec.known:
        return lengths
    places = chosen(trained.columns, table.columns, "column")
    rows = np.flatnonzero(~np.isnan(np.asarray(table.values[:, places])).all(axis=1))
    last = np.searchsorted(rows, table.offsets[1:]) - 1
    some = (last >= 0) & (np.searchsorted(rows, table.offsets[:-1]) <= last)
    return np.where(some, rows[last] - table.offsets[:-1] + 1, 0) if len(rows) else lengths * 0


def run(spec: ForecastSeries, context: JobContext) -> Forecast:
    """Saves `forecast.csv` or `forecast.parquet`, and `forecast.png` of the first series.

    It goes on from the series whose forecasts an earlier attempt has saved.

    Raises:
        BadInput: the model is none, the table does not fit it, or what is known ahead is not given.
        Stopped: asked to stop; the checkpoint is saved.
    """
    began, asked = time.monotonic(), Asked.of(spec, context)
    shards = _computed(spec, context, asked, 0, len(asked.table.ids))
    return _whole(spec, context, asked, shards.paths, shards.counted.tolist(), began)


def cuts(spec: ForecastSeries, context: JobContext) -> Cuts:
    """See `jobs.dividing.parts`: between blocks of series."""
    return Cuts.every(BLOCK, len(Asked.of(spec, context).table.ids), LEAST)


def compute(spec: ForecastSeries, context: JobContext, part: Part) -> PartResult:
    """See `jobs.dividing.parts`: shards of the forecasts."""
    shards = _computed(spec, context, Asked.of(spec, context), part.first, part.end)
    empty, beside = shards.counted.tolist()
    return PartResult(shards=shards.keep_last(), facts={"empty": empty, "outside": beside})


def join(spec: ForecastSeries, context: JobContext, pieces: Sequence[Piece]) -> Forecast:
    """See `jobs.dividing.parts`: the file of all shards."""
    began = time.monotonic()
    paths = [path for piece in pieces for path in piece.shards]
    # A part by an earlier version did not count what is outside.
    counted = [sum(int(piece.facts.get(fact, 0)) for piece in pieces) for fact in ("empty", "outside")]
    return _whole(spec, context, Asked.of(spec, context), paths, counted, began)


def _computed(spec: ForecastSeries, context: JobContext, asked: Asked, first: int, end: int) -> Shards:
    shards = Shards(spec, context, asked.layout, first, end, BLOCK, spec.checkpoint_seconds, counts=2)
    shards.resume()
    shards.run(lambda first, end: _block(asked, first, end))
    return shards


def _block(asked: Asked, first: int, end: int) -> tuple[list[Array | list[str]], tuple[int, int]]:
    """The columns of the result for some series.

    And how many of their columns have nothing to go by, and forecasts lie outside of their intervals.
    """
    panel, lengths = asked.panel(first, end)
    origins = _origins(asked, panel, lengths)
    _check_known(asked, panel, origins)
    points, quantiles = asked.trained.method.predict(origins)
    count, horizon = len(asked.ahead), asked.trained.spec.horizon
    scales, centers = panel.scales[origins.channels], panel.centers[origins.channels]
    numbers = np.concatenate([points[:, np.newaxis], quantiles], axis=1)  # (windows, 1 + levels, horizon)
    numbers = numbers * scales[:, np.newaxis, np.newaxis] + centers[:, np.newaxis, np.newaxis]
    numbers = rounded(numbers, scales)
    beside = outside(numbers, asked.trained.spec.quantiles)
    shape = (len(asked.trained.columns), panel.series * count, numbers.shape[1], horizon)
    numbers = np.moveaxis(numbers.reshape(shape), 3, 2).reshape(shape[0], -1, shape[2])
    columns: list[Array | list[str]] = []
    if asked.table.series_column:
        columns.append([name for name in panel.table.ids for _ in range(count * horizon)])
    # By the last column's windows: the times are the same for all of them.
    series = np.repeat(np.arange(panel.series), count)
    rows = (lengths[:, np.newaxis] - asked.ahead).reshape(-1)
    if count > 1:
        columns.append(np.repeat(moments(panel.table, series, rows - 1), horizon))
    ahead = np.tile(np.arange(horizon), len(rows))
    columns.append(moments(panel.table, np.repeat(series, horizon), np.repeat(rows, horizon) + ahead))
    columns += [numbers[column, :, level] for column in range(shape[0]) for level in range(shape[2])]
    return columns, (int(np.isnan(points[count - 1 :: count, 0]).sum()), beside)


def _origins(asked: Asked, panel: Panel, lengths: Array) -> Origins:
    """Column by column, series by series, origin by origin."""
    channels = np.repeat(np.arange(len(panel.starts)), len(asked.ahead))
    rows = np.tile((lengths[:, np.newaxis] - asked.ahead).reshape(-1), len(panel.columns))
    return Origins(panel, panel.starts[channels] + rows, channels)


def _check_known(asked: Asked, panel: Panel, origins: Origins) -> None:
    """Refuses a table that does not give what is known ahead.

    Raises:
        BadInput: the text names the row.
    """
    known, horizon = asked.trained.spec.known, asked.trained.spec.horizon
    if not known:
        return
    series = origins.channels % panel.series
    rows = (origins.places - panel.starts[origins.channels])[:, np.newaxis] + np.arange(horizon)
    places = panel.rows.offsets[series][:, np.newaxis] + rows
    inside = (rows >= 0) & (rows < panel.rows.lengths[series][:, np.newaxis])
    given = panel.given[np.clip(places, 0, panel.count - 1)] & inside[:, :, np.newaxis]
    missing = np.argwhere(~given)
    if len(missing):
        window, step, column = missing[0].tolist()
        number = int(series[window])
        at = moments(panel.table, np.array([number]), rows[window, step : step + 1])
        name = f" of series {panel.table.ids[number]!r}" if panel.table.series_column else ""
        raise BadInput(
            f"column {known[column]!r} is known ahead, and {asked.name!r} has no value of it at "
            f"{panel.table.calendar.texts(at)[0]}{name}: add rows that give it for the {horizon} rows to "
            "forecast"
        )


def rounded(numbers: Array, scales: Array) -> Array:
    """Numbers (windows, ...) with as many digits as mean something, by the scale (windows,) of each."""
    decimals = _DIGITS - np.floor(np.log10(scales)).astype(np.int64)
    found = numbers.copy()
    for places in np.unique(decimals).tolist():
        some = decimals == places
        if -300 < places < 300:
            with np.errstate(over="ignore", invalid="ignore"):
                shorter = np.round(numbers[some], places)
            found[some] = np.where(np.isfinite(shorter), shorter, numbers[some])
    return found


def _whole(
    spec: ForecastSeries,
    context: JobContext,
    asked: Asked,
    shards: Sequence[Path],
    counted: Sequence[int],
    began: float,
) -> Forecast:
    path = context.folder / f"forecast.{spec.output}"
    rows = assemble(shards, path, asked.layout)
    context.save_artifact(path.name, path)
    context.save_artifact("forecast.png", _drawn(asked))
    first, last = _first_and_last(asked)
    seconds = time.monotonic() - began
    return Forecast(
        series=len(asked.table.ids),
        rows=rows,
        origins=len(asked.ahead),
        empty=counted[0],
        method=asked.trained.name,
        remarks=remarks_of(asked.trained, counted[1]),
        first=first,
        last=last,
        seconds=seconds,
        rows_per_second=rows / max(seconds, 1e-9),
    )


def _first_and_last(asked: Asked) -> tuple[str, str]:
    """The earliest and the latest time that is forecast."""
    table, horizon = asked.table, asked.trained.spec.horizon
    series = np.arange(len(table.ids))
    rows = ends_of(table, asked.trained)
    first = moments(table, series, rows - asked.ahead[0]).min()
    last = moments(table, series, rows + horizon - 1).max()
    early, late = table.calendar.texts(np.array([first, last]))
    return early, late


def _drawn(asked: Asked) -> bytes:
    """The first series, from its last row on."""
    panel, lengths = asked.panel(0, min(len(asked.table.ids), _DRAWN))
    columns = np.arange(len(panel.columns)) * panel.series
    channels = (columns[:, np.newaxis] + np.arange(panel.series)).reshape(-1)[:_DRAWN]
    origins = Origins(panel, panel.starts[channels] + lengths[channels % panel.series], channels)
    trained = asked.trained
    return forecasts(scenes(panel, trained.method, origins), trained.spec.quantiles, trained.name)


def _part(table: Table, first: int, end: int) -> Table:
    """Some series of a table."""
    rows = slice(int(table.offsets[first]), int(table.offsets[end]))
    return replace(
        table,
        ids=table.ids[first:end],
        starts=table.starts[first:end],
        offsets=table.offsets[first : end + 1] - table.offsets[first],
        values=np.asarray(table.values[rows]),
    )
