"""Fills in what is missing in a table, with intervals."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from jobs.context import JobContext, Progress
from jobs.datasets.tables.table import Table, chosen
from jobs.datasets.tables.writing import Kind, Layout, assemble
from jobs.dividing.parts import Cuts, Part, PartResult, Piece
from jobs.errors import BadInput, Stopped
from jobs.selfsupervised.series.gap_filling.drawing import drawn, shown_of
from jobs.selfsupervised.series.gap_filling.filling import Decision, Filler, decided, values_of
from jobs.selfsupervised.series.gap_filling.gaps import Gaps, sampled
from jobs.selfsupervised.series.gap_filling.standard import Stretch
from jobs.selfsupervised.series.shards import Shards
from jobs.selfsupervised.series.spec import TrainSeries
from jobs.selfsupervised.series.uses import Filled, FillSeries

Array = np.ndarray[Any, Any]

#: Rows that are filled together. Cuts lie between such blocks.
BLOCK = 2_048
#: Blocks in a part that is worth its beginning, which learns from the whole table.
LEAST = 16
#: Rows at the end of each series, as a share, in which gaps are hidden to choose by.
_CHOSEN_BY = 0.2
#: Series that are chosen by, at most.
_SERIES = 1_000
#: The longest gap that is drawn.
_DRAWN = 200


@dataclass(frozen=True)
class Asked:
    """What is to be filled.

    Attributes:
        table: the numbers.
        places: the columns that are to be filled.
        gaps: all that is missing in them.
    """

    table: Table
    places: tuple[int, ...]
    gaps: Gaps

    @classmethod
    def of(cls, spec: FillSeries, context: JobContext) -> "Asked":
        """What a spec asks for.

        Raises:
            BadInput: there is no such table or column.
        """
        name, targets = spec.dataset, spec.targets
        if spec.model is not None:
            trained = context.spec_of(spec.model)
            if not isinstance(trained, TrainSeries):
                raise BadInput(f"job {spec.model} is of {trained.kind}, and no training on series")
            name, targets = name or trained.dataset, targets or trained.targets
        if name is None:  # the spec refuses it
            raise BadInput("there is no table to fill")
        table = context.table(name)
        places = tuple(chosen(targets or table.columns, table.columns, "column"))
        return cls(table, places, Gaps.of(table, places))

    @property
    def gappy(self) -> tuple[int, ...]:
        """Those of `places` that have a gap, by their number among them."""
        return tuple(np.unique(self.gaps.columns).tolist())

    def layout(self, level: float) -> Layout:
        """The table's columns, and for each with a gap the ends of the interval and the mask."""
        more: list[tuple[str, Kind]] = []
        for number in self.gappy:
            name = self.table.columns[self.places[number]]
            more += [(f"{name} {end:g}", "number") for end in ((1 - level) / 2, (1 + level) / 2)]
            more.append((f"{name} filled", "flag"))
        return Layout.of(self.table, more)

    @property
    def own(self) -> int:
        """Columns of the table as it was, series and times included."""
        return len(self.table.columns) + 1 + bool(self.table.series_column)


def run(spec: FillSeries, context: JobContext) -> Filled:
    """Saves the table with its gaps filled, `filled`, and `intervals` with their mask, as CSV or Parquet.

    Both have all rows. `filled.png` shows some of the gaps. It goes on from the rows that an earlier attempt
    has saved.

    Raises:
        BadInput: there is no such table or column.
        Stopped: asked to stop; the checkpoint is saved.
    """
    began, asked = time.monotonic(), Asked.of(spec, context)
    decision = _decided(spec, context, asked)
    shards = _computed(spec, context, asked, decision, 0, len(asked.table))
    return _whole(spec, context, asked, decision, shards.paths, int(shards.counted[0]), began)


def cuts(spec: FillSeries, context: JobContext) -> Cuts:
    """See `jobs.dividing.parts`: between blocks of rows, all parts with the same methods."""
    asked = Asked.of(spec, context)
    found = Cuts.every(BLOCK, len(asked.table), LEAST)
    return Cuts(found.ends, found.least, {"decision": _decided(spec, context, asked).to_text()})


def compute(spec: FillSeries, context: JobContext, part: Part) -> PartResult:
    """See `jobs.dividing.parts`: shards of both tables."""
    asked, decision = Asked.of(spec, context), Decision.from_text(part.choices["decision"])
    shards = _computed(spec, context, asked, decision, part.first, part.end)
    facts = {"filled": int(shards.counted[0]), "decision": decision.to_text()}
    return PartResult(shards=shards.keep_last(), facts=facts)


def join(spec: FillSeries, context: JobContext, pieces: Sequence[Piece]) -> Filled:
    """See `jobs.dividing.parts`: the files of all shards."""
    began = time.monotonic()
    paths = [path for piece in pieces for path in piece.shards]
    filled = sum(int(piece.facts["filled"]) for piece in pieces)
    decision = Decision.from_text(pieces[0].facts["decision"])
    return _whole(spec, context, Asked.of(spec, context), decision, paths, filled, began)


def _decided(spec: FillSeries, context: JobContext, asked: Asked) -> Decision:
    """How gaps are filled: chosen by hidden values at the end of each series."""
    total = max(len(asked.table), 1)

    def tell(stage: str) -> None:
        context.report(Progress(0, total, stage))
        if (reason := context.should_stop()) is not None:
            raise Stopped(f"stopped before the first row: {reason}")

    table = sampled(asked.table, _SERIES)
    lengths = np.diff(table.offsets).astype(np.int64)
    middle = lengths - np.floor(_CHOSEN_BY * lengths).astype(np.int64)
    learned, chosen_by = Stretch(np.zeros_like(lengths), middle), Stretch(middle, lengths)
    return decided(table, asked.places, learned, chosen_by, spec.level, spec.method, tell)


def _computed(
    spec: FillSeries, context: JobContext, asked: Asked, decision: Decision, first: int, end: int
) -> Shards:
    layout = asked.layout(spec.level)
    shards = Shards(spec, context, layout, first, end, BLOCK, spec.checkpoint_seconds, "row")
    shards.resume()
    filling = _Filling(asked, decision)
    with threadpool_limits(1):  # with more threads, other bits
        shards.run(filling.block)
    return shards


class _Filling:
    """Fills rows of the table."""

    def __init__(self, asked: Asked, decision: Decision) -> None:
        self._asked, self._decision = asked, decision
        self.filler = filler_of(asked, decision)

    def block(self, first: int, end: int) -> tuple[list[Array | list[str]], tuple[int]]:
        """The columns of the result for some rows of the table, and how many values were filled."""
        table, places = self._asked.table, self._asked.places
        numbers = np.array(table.values[first:end], np.float64)
        low, high = np.full((end - first, len(places)), np.nan), np.full((end - first, len(places)), np.nan)
        gaps = self._asked.gaps.within(table, first, end)
        for series, several in groupby(gaps, key=lambda gap: gap.series):
            seen, begin = self.filler.series(series), int(table.offsets[series])
            for gap in several:
                inside = np.arange(max(gap.first + begin, first), min(gap.end + begin, end)) - first
                values = values_of(self.filler, self._decision, seen, gap, slice(first - begin, end - begin))
                part = slice(
                    max(first - begin - gap.first, 0), max(first - begin - gap.first, 0) + len(inside)
                )
                numbers[inside, places[gap.column]] = values[0][part]
                low[inside, gap.column], high[inside, gap.column] = values[1][part], values[2][part]
        series_of = np.searchsorted(table.offsets, np.arange(first, end), side="right") - 1
        columns: list[Array | list[str]] = [[table.ids[n] for n in series_of]] if table.series_column else []
        columns += [_times(table, series_of, np.arange(first, end)), *numbers.T]
        for column in self._asked.gappy:
            columns += [low[:, column], high[:, column], ~np.isnan(low[:, column])]
        return columns, (int(np.count_nonzero(~np.isnan(low))),)


def filler_of(asked: Asked, decision: Decision) -> Filler:
    """What fills, by all that is seen in the table."""
    lengths = np.diff(asked.table.offsets).astype(np.int64)
    return Filler(asked.table, asked.places, Stretch(np.zeros_like(lengths), lengths), decision.season)


def _times(table: Table, series: Array, rows: Array) -> Array:
    """The times of rows of the table, int64 microseconds since 1970."""
    found = []
    for number in np.unique(series).tolist():
        mine = rows[series == number] - int(table.offsets[number])
        found.append(table.times(number, int(mine[0]), len(mine)))
    return np.concatenate(found)


def _whole(
    spec: FillSeries,
    context: JobContext,
    asked: Asked,
    decision: Decision,
    shards: Sequence[Path],
    filled: int,
    began: float,
) -> Filled:
    layout, table, gaps = asked.layout(spec.level), asked.table, asked.gaps
    keys = tuple(range(1 + bool(table.series_column)))
    for name, columns in (
        ("filled", tuple(range(asked.own))),
        ("intervals", (*keys, *range(asked.own, len(layout.columns)))),
    ):
        path = context.folder / f"{name}.{spec.output}"
        assemble(shards, path, layout, columns)
        context.save_artifact(path.name, path)
    if (picture := _picture(asked, decision, spec.level)) is not None:
        context.save_artifact("filled.png", picture)
    total = int(gaps.lengths.sum())
    times = _times_of_gaps(asked) if filled else ("", "")
    return Filled(
        series=len(table.ids),
        rows=len(table),
        filled=filled,
        gaps=len(gaps.lengths),
        longest=int(gaps.lengths.max(initial=0)),
        left=total - filled,
        season=decision.season.rows,
        methods={str(length): method for length, method in decision.methods.items()},
        first=times[0],
        last=times[1],
        seconds=round(time.monotonic() - began, 3),
    )


def _times_of_gaps(asked: Asked) -> tuple[str, str]:
    """When the earliest missing value was, and the latest one."""
    table, gaps = asked.table, asked.gaps
    step = table.step
    rows = np.stack([gaps.firsts, gaps.ends - 1]) - table.offsets[gaps.series]
    if step.months:
        each = [
            [table.times(int(s), int(r), 1)[0] for s, r in zip(gaps.series, row, strict=True)] for row in rows
        ]
        times = np.array(each, np.int64)
    else:
        times = table.starts[gaps.series] + rows * step.microseconds
    first, last = table.calendar.texts(np.array([times[0].min(), times[1].max()]))
    return first, last


def _picture(asked: Asked, decision: Decision, level: float) -> bytes | None:
    """The longest gap that can be drawn, one of median length, and a short one."""
    gaps, filler = asked.gaps, None
    short = np.flatnonzero(gaps.lengths <= _DRAWN)
    if not len(short):
        return None
    order = short[np.argsort(gaps.lengths[short], kind="stable")]
    shown = []
    with threadpool_limits(1):
        filler = filler_of(asked, decision)
        for number in dict.fromkeys([order[-1], order[len(order) // 2], order[0]]):
            gap = next(
                gap
                for gap in gaps.within(asked.table, int(gaps.firsts[number]), int(gaps.firsts[number]) + 1)
                if gap.column == gaps.columns[number]
            )
            seen = filler.series(gap.series)
            shown.append(shown_of(filler, decision, gap, seen))
    shown = [each for each in shown if not np.isnan(each.values[0]).any()]
    return drawn(shown, level) if shown else None
