"""From a file to a table: what is irregular is named with its row, or made regular if that is asked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jobs.datasets.tables.calendar import Calendar
from jobs.datasets.tables.cells import Cells, names_of, read_cells, zone_in
from jobs.datasets.tables.column import Numbers
from jobs.datasets.tables.moments import USUAL_NAMES, Moments, moments_of
from jobs.datasets.tables.step import Step, aligned, step_of, usual_step
from jobs.datasets.tables.table import Table
from jobs.errors import BadInput

Array = np.ndarray[Any, Any]

#: What a table may be, by its suffix.
FORMATS = (".csv", ".tsv", ".parquet")
_HOUR = 3_600_000_000
_DAY = 24 * _HOUR


def read_table(
    path: Path,
    *,
    time: str | None = None,
    series: str | None = None,
    step: Step | None = None,
    zone: str | None = None,
    time_format: str | None = None,
) -> Table:
    """Reads a file of numbers with times.

    Args:
        path: `.csv`, `.tsv` or `.parquet`; wide (a column each) or long (`series` tells them apart).
        time: the column of times; None for the one whose name is usual.
        series: the column that tells which series a row belongs to; None if all rows are of one.
        step: make the rows regular, so far apart; None to refuse what is not.
        zone: where the clock is that showed the times, if they carry no offset from UTC.
        time_format: how times are written, as `datetime.strptime` takes it; None for ISO 8601.

    Raises:
        BadInput: it cannot be read, or is not regular; one sentence, with the row.
    """
    if path.suffix.lower() not in FORMATS:
        raise BadInput(f"{path.name} is none of {', '.join(FORMATS)}; save the table as one of these")
    names = names_of(path)
    time, remarks = _time_column(names, time)
    if series is not None and series not in names:
        raise BadInput(f"there is no column {series!r} of series: the columns are {', '.join(names)}")
    zone = zone or zone_in(path, time)
    cells = read_cells(path, time, series)
    numbers, left_out = _numeric(cells)
    ids, codes = (
        (cells.series.texts, cells.series.codes) if series else (("",), np.zeros(len(cells.times), np.int64))
    )
    if (blank := next((n for n, name in enumerate(ids) if series and not name.strip()), None)) is not None:
        raise BadInput(f"row {cells.rows[(codes == blank).argmax()]} names no series in column {series!r}")
    moments = moments_of(cells.times, codes, time_format, zone, cells.rows)
    values = np.stack([column.all() for column in numbers], axis=1)
    remarks += left_out + ([moments.remark] if moments.remark else [])
    by_series = np.argsort(codes, kind="stable")
    labels = [each.name for each in cells.numbers if each.texts and not each.present]
    rows = _Rows(cells.rows[by_series], codes[by_series], values[by_series], ids, labels)
    found = _made_regular(rows, moments, by_series, step) if step else _regular(rows, moments, by_series)
    starts, offsets, values, kept, on_wall, more = found
    calendar = Calendar(
        time, "" if on_wall else moments.zone, moments.form, "" if on_wall else moments.offset
    ).suited(np.concatenate([kept.times(int(starts[0]), 0, 3), starts[:100]]))
    columns = tuple(column.name for column in numbers)
    remarks += more + _constant(columns, values)
    return Table(columns, ids, starts, offsets, values, kept, calendar, series or "", tuple(remarks))


class _Rows:
    """Rows in the order of their series: row numbers as people count, codes, values, names of series.

    `labels` are columns of texts, one of which may tell the series apart.
    """

    def __init__(
        self, numbers: Array, codes: Array, values: Array, ids: Sequence[str], labels: Sequence[str]
    ) -> None:
        self.numbers, self.codes, self.values, self.ids, self.labels = numbers, codes, values, ids, labels
        self.breaks = np.diff(codes) != 0

    def place(self, row: int) -> str:
        """A row's number, and its series if there are several."""
        name = self.ids[int(self.codes[row])]
        return f"row {self.numbers[row]}" + (f" (series {name!r})" if name else "")


def _time_column(names: Sequence[str], time: str | None) -> tuple[str, list[str]]:
    if time is not None:
        if time not in names:
            raise BadInput(f"there is no column {time!r} of times: the columns are {', '.join(names)}")
        return time, []
    for usual in USUAL_NAMES:
        for name in names:
            if name.lower() == usual:
                return name, [f"times are taken from the column {name!r}"]
    raise BadInput(
        f"no column is named like one of times ({', '.join(USUAL_NAMES)}): which of {', '.join(names)} is it?"
    )


def _numeric(cells: Cells) -> tuple[list[Numbers], list[str]]:
    kept, remarks = [], []
    for column in cells.numbers:
        row, text = column.example
        if column.texts and column.present:
            raise BadInput(
                f"row {row}, column {column.name!r}: {text[:40]!r} is not a number, and other rows have one; "
                "leave the cell empty where a number is missing"
            )
        if column.texts:
            remarks.append(f"column {column.name!r} is left out: it holds texts such as {text[:40]!r}")
        elif not column.present:
            remarks.append(f"column {column.name!r} is left out: it is empty")
        else:
            kept.append(column)
        if column.commas:
            remarks.append(f"column {column.name!r}: the comma is taken for the decimal sign")
    if not kept:
        raise BadInput(f"no column holds numbers: {'; '.join(remarks) or 'there is only one of times'}")
    return kept, remarks


def _constant(columns: Sequence[str], values: Array) -> list[str]:
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    found = []
    for n in np.flatnonzero(low == high).tolist():
        count = int(np.count_nonzero(~np.isnan(values[:, n])))
        where = (
            "in all rows"
            if count == len(values)
            else f"where it has a value: in {count} of {len(values)} rows"
        )
        found.append(f"column {columns[n]!r} is {low[n]:g} {where}")
    return found


_Found = tuple[Array, Array, Array, Step, bool, list[str]]


def _regular(rows: _Rows, moments: Moments, order: Array) -> _Found:
    """The rows as they are, if they are regular: in UTC, or else by the clock on the wall."""
    utc, wall = moments.utc[order], moments.wall[order]
    _check_order(rows, moments, utc)
    for times, on_wall in ((utc, False), (wall, True)):
        if (step := step_of(times, rows.breaks)) is not None:
            starts, offsets = _starts(rows, times)
            return starts, offsets, rows.values, step, on_wall or not moments.zone, []
    raise _irregular(rows, moments, utc)


def _check_order(rows: _Rows, moments: Moments, times: Array) -> None:
    apart = np.diff(times)
    wrong = (apart <= 0) & ~rows.breaks
    if not wrong.any():
        if rows.breaks.all():
            raise BadInput("each series has a single row: a table needs two rows of a series at least")
        return
    row = int(wrong.argmax()) + 1
    texts = Calendar("", moments.zone).texts(times[[row - 1, row]])
    if apart[row - 1] == 0:
        series = f"; if column {rows.labels[0]!r} tells series apart, say so: --series" if rows.labels else ""
        raise BadInput(
            f"{rows.place(row)} has the time of the row before it, {texts[1]}{_clock(moments, apart)}{series}"
            "; --regularise STEP takes the mean of such rows"
        )
    raise BadInput(
        f"{rows.place(row)} is before the row above it: {texts[1]} after {texts[0]}{_clock(moments, apart)}; "
        "--regularise STEP sorts the rows"
    )


def _irregular(rows: _Rows, moments: Moments, times: Array) -> BadInput:
    usual = usual_step(times, rows.breaks)
    apart = np.diff(times)
    wrong = apart != usual.microseconds
    if usual.months:
        months = np.diff(times.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64))
        wrong = months != usual.months
    row = int((wrong & ~rows.breaks).argmax()) + 1
    texts = Calendar("", moments.zone).texts(times[[row - 1, row]])
    count = int(np.count_nonzero(wrong & ~rows.breaks))
    return BadInput(
        f"{rows.place(row)}: {texts[1]} follows {texts[0]}, where most rows are {usual} apart (so in {count} "
        f"place{'s' * (count != 1)}){_clock(moments, apart)}; --regularise {usual} makes the missing rows"
    )


def _clock(moments: Moments, apart: Array) -> str:
    """A hint, where the steps look like a clock that was put forward and back."""
    if moments.zone or not len(apart):
        return ""
    usual = int(np.median(apart))
    if 0 < usual <= _HOUR and np.isin(apart - usual, (_HOUR, -_HOUR)).any():
        return "; if that is daylight saving time, say where the clock is: --timezone Europe/Berlin"
    return ""


def _starts(rows: _Rows, times: Array) -> tuple[Array, Array]:
    begins = np.concatenate([[0], np.flatnonzero(rows.breaks) + 1])
    return times[begins], np.concatenate([begins, [len(times)]]).astype(np.int64)


def _made_regular(rows: _Rows, moments: Moments, order: Array, step: Step) -> _Found:
    """One row a step: the mean of what falls into it, missing where nothing does."""
    # A day begins at midnight on the wall, whatever the clock does.
    on_wall = bool(step.months) or step.microseconds % _DAY == 0 or not moments.zone
    times = (moments.wall if on_wall else moments.utc)[order]
    step, cells = aligned(step, times)
    begins = np.concatenate([[0], np.flatnonzero(rows.breaks) + 1])
    first = np.minimum.reduceat(cells, begins)
    last = np.maximum.reduceat(cells, begins)
    lengths = np.array(
        [int(step.rows_between(int(a), np.array([b]))[0]) for a, b in zip(first, last, strict=True)]
    )
    lengths += 1
    if int(lengths.max()) < 2:
        raise BadInput(
            f"--regularise {step} makes a single row of each series: a table needs two rows of a series at "
            "least; take a shorter step"
        )
    if int(lengths.sum()) > 1000 * len(times) + 1_000_000:
        raise BadInput(
            f"--regularise {step} would make {int(lengths.sum())} rows of {len(times)}: take a longer step"
        )
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = np.concatenate(
        [
            offsets[n] + step.rows_between(int(first[n]), cells[start:end])
            for n, (start, end) in enumerate(zip(begins, [*begins[1:], len(cells)], strict=True))
        ]
    )
    sums = np.zeros((int(offsets[-1]), rows.values.shape[1]))
    counts = np.zeros_like(sums)
    there = ~np.isnan(rows.values)
    np.add.at(sums, places, np.where(there, rows.values, 0.0))
    np.add.at(counts, places, there)
    with np.errstate(invalid="ignore"):
        values = sums / counts
    distinct = len(np.unique(places))
    said = [
        f"made regular, {step} apart: {len(values) - distinct} rows were made, {len(times) - distinct} "
        f"joined others, {int(np.count_nonzero(cells != times))} times moved to the beginning of their step"
    ]
    return first, offsets, values, step, on_wall, said
