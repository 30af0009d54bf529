"""Where values are missing, and gaps that are hidden to see how well they are filled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jobs.datasets.tables.table import Table
from jobs.selfsupervised.series.gap_filling.standard import Stretch

Array = np.ndarray[Any, Any]

#: Times that other gaps are hidden, where there are few.
_TURNS = 5
#: Rows that are read at once.
_BLOCK = 2**18


@dataclass(frozen=True)
class Gap:
    """Missing values of a column, one after the other.

    Attributes:
        series: which.
        column: its place among those that have a part.
        first: the first row, counted in the series.
        end: the row after the last one.
    """

    series: int
    column: int
    first: int
    end: int

    def __len__(self) -> int:
        """Rows."""
        return self.end - self.first


@dataclass(frozen=True)
class Gaps:
    """All gaps of a table.

    Attributes:
        columns: the column of each, int64 (gaps,).
        firsts: its first row, counted in the table.
        ends: the row after its last one.
        series: which it is in.
    """

    columns: Array
    firsts: Array
    ends: Array
    series: Array

    @classmethod
    def of(cls, table: Table, places: Sequence[int]) -> "Gaps":
        """Those of some columns; none goes on from one series into the next."""
        found = []
        missing = np.zeros((len(table), len(places)), np.bool_)
        for first in range(0, len(table), _BLOCK):
            missing[first : first + _BLOCK] = np.isnan(table.values[first : first + _BLOCK][:, list(places)])
        begins = np.zeros(len(table) + 1, np.bool_)
        begins[table.offsets] = True
        for column in range(len(places)):
            flags = np.concatenate([[False], missing[:, column], [False]])
            firsts = np.flatnonzero(flags[1:-1] & (~flags[:-2] | begins[:-1]))
            ends = np.flatnonzero(flags[1:-1] & (~flags[2:] | begins[1:])) + 1
            found.append(np.stack([np.full(len(firsts), column), firsts, ends]))
        columns, firsts, ends = np.concatenate(found, axis=1).astype(np.int64)
        series = np.searchsorted(table.offsets, firsts, side="right") - 1
        return cls(columns, firsts, ends, series)

    @property
    def lengths(self) -> Array:
        """Rows of each."""
        return self.ends - self.firsts

    def within(self, table: Table, first: int, end: int) -> Iterator[Gap]:
        """Those with a row of the table from one to before another, whole, in the order of their rows."""
        chosen = np.flatnonzero((self.firsts < end) & (self.ends > first))
        for number in chosen[np.argsort(self.firsts[chosen], kind="stable")].tolist():
            series = int(self.series[number])
            begin = int(table.offsets[series])
            yield Gap(
                series,
                int(self.columns[number]),
                int(self.firsts[number]) - begin,
                int(self.ends[number]) - begin,
            )


def sampled(table: Table, most: int) -> Table:
    """A table of as many of the series, evenly spread; the same if there are no more."""
    count = len(table.ids)
    if count <= most:
        return table
    chosen = np.unique(np.linspace(0, count - 1, most).astype(np.int64))
    offsets = np.concatenate([[0], np.cumsum(np.diff(table.offsets)[chosen])]).astype(np.int64)
    values = np.concatenate([table.rows(series) for series in chosen.tolist()])
    ids = tuple(table.ids[series] for series in chosen.tolist())
    return replace(table, ids=ids, starts=table.starts[chosen], offsets=offsets, values=values)


def hidden(table: Table, places: Sequence[int], within: Stretch, length: int, most: int) -> list[list[Gap]]:
    """Gaps to be hidden, evenly spread over series, columns and rows; at least five times as much stays.

    They begin at other rows in each column, so that other columns are there as a rule. Where there are few,
    others are hidden in turns after the first ones: each list is to be hidden by itself.

    Args:
        table: whose values they hide.
        places: the columns.
        within: the rows among which they are.
        length: rows of each.
        most: how many, at most.
    """
    stride = 5 * length + 1
    room = within.lengths
    each = np.where(room >= 2 * length, (room + stride - 1) // stride, 0)
    total = int(each.sum()) * len(places)
    if not total:
        return []
    turns = min(_TURNS, -(-most // total))
    return [_turn(table, places, within, length, min(most, total), each, turn) for turn in range(turns)]


def _turn(
    table: Table, places: Sequence[int], within: Stretch, length: int, most: int, each: Array, turn: int
) -> list[Gap]:
    stride, room, total = 5 * length + 1, within.lengths, int(each.sum()) * len(places)
    ends = np.cumsum(np.tile(each, len(places)))
    found = []
    for number in np.unique(np.linspace(0, total - 1, most).astype(np.int64)).tolist():
        channel = int(np.searchsorted(ends, number, side="right"))
        column, series = divmod(channel, len(each))
        place = number - (int(ends[channel - 1]) if channel else 0)
        shift = (7919 * column + 104_729 * series + turn * length) % stride
        begin = int(within.first[series]) + (place * stride + shift) % max(int(room[series]) - length + 1, 1)
        gap = Gap(series, column, begin, begin + length)
        values = table.rows(series)[gap.first : gap.end, places[column]]
        if not np.isnan(values).any():
            found.append(gap)
    return _apart(found)


def _apart(gaps: list[Gap]) -> list[Gap]:
    """Those of them that neither meet nor overlap another of the same column."""
    found: list[Gap] = []
    for gap in sorted(gaps, key=lambda gap: (gap.series, gap.column, gap.first)):
        last = found[-1] if found else None
        if last and (last.series, last.column) == (gap.series, gap.column) and gap.first <= last.end:
            continue
        found.append(gap)
    return found
