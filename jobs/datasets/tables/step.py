"""The time between two rows of a table: a fixed length, or a number of calendar months."""

import re
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from jobs.errors import InvalidSpec

Array = np.ndarray[Any, Any]

#: Lengths in microseconds, the longest first, by the letters that a step is written with.
_UNITS = {
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "min": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_WEEK = 7 * _UNITS["d"]
#: The first Monday after 1 January 1970.
_MONDAY = 4 * _UNITS["d"]
_SHORTEST_MONTH = 28 * _UNITS["d"]
_WRITTEN = re.compile(r"(\d+)\s*(min|month|months|mo|ms|us|[wdhsy])")


@dataclass(frozen=True)
class Step:
    """The time from each row to the next.

    Attributes:
        microseconds: of a fixed length; 0 if it is in months.
        months: calendar months; 0 if it is of a fixed length.
        day: the day of the month that every row is on, or the last one before it in a shorter month.
    """

    microseconds: int = 0
    months: int = 0
    day: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """A step as people write it: `15min`, `1h`, `1d`, `1w`, `1month`, `1y`.

        Raises:
            InvalidSpec: it is none.
        """
        found = _WRITTEN.fullmatch(text.strip().lower())
        if found is None or int(found[1]) == 0:
            raise InvalidSpec(
                f"{text!r} is not a step: give a number and one of s, min, h, d, w, month, y, such as 15min"
            )
        number, unit = int(found[1]), found[2]
        if unit in ("month", "months", "mo"):
            return cls(months=number)
        if unit == "y":
            return cls(months=12 * number)
        return cls(microseconds=7 * number * _UNITS["d"] if unit == "w" else number * _UNITS[unit])

    def __str__(self) -> str:
        if self.months:
            return f"{self.months // 12}y" if self.months % 12 == 0 else f"{self.months}month"
        unit = next(name for name, length in _UNITS.items() if self.microseconds % length == 0)
        return f"{self.microseconds // _UNITS[unit]}{unit}"

    def times(self, start: int, first: int, count: int) -> Array:
        """The times of rows, int64 (count,), microseconds since 1970.

        Args:
            start: the time of row 0.
            first: the first row wanted.
            count: how many.
        """
        rows = np.arange(first, first + count, dtype=np.int64)
        if not self.months:
            return start + rows * self.microseconds
        moment = np.datetime64(start, "us")
        month = moment.astype("datetime64[M]")
        within = moment - moment.astype("datetime64[D]").astype("datetime64[us]")
        months = month + rows * self.months
        lengths = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
        days = months.astype("datetime64[D]") + (np.minimum(self.day, lengths) - 1)
        found: Array = (days.astype("datetime64[us]") + within).astype(np.int64)
        return found

    def floor(self, times: Array) -> Array:
        """The last whole number of steps from 1970 at or before each time; of months, their first days."""
        if self.months:
            months = times.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
            months = months // self.months * self.months
            times = months.astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)
        else:
            times = times // self.microseconds * self.microseconds
        return times

    def rows_between(self, start: int, times: Array) -> Array:
        """How many steps after `start` each time is, int64; both as `floor` gives them."""
        if self.months:
            first = np.datetime64(start, "us").astype("datetime64[M]")
            months = times.astype("datetime64[us]").astype("datetime64[M]")
            rows: Array = (months - first).astype(np.int64) // self.months
            return rows
        return (times - start) // self.microseconds


def step_of(times: Array, breaks: Array) -> Step | None:
    """The step of times, or None if there is none that all rows keep.

    Args:
        times: int64 (rows,), microseconds since 1970.
        breaks: bool (rows - 1,), where one series ends and the next begins.
    """
    apart = np.diff(times)[~breaks]
    if not len(apart):
        return None
    equal = bool((apart == apart[0]).all())
    # July, August and September begin 31 days apart, and are months all the same.
    if (not equal or apart[0] >= _SHORTEST_MONTH) and (months := _months(times, breaks)) is not None:
        return months
    return Step(microseconds=int(apart[0])) if equal else None


def usual_step(times: Array, breaks: Array) -> Step:
    """The step that most rows keep."""
    if (day := _day_of(times)) is not None:
        months = np.diff(times.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64))[~breaks]
        usual = _most(months)
        if usual > 0:
            return Step(months=usual, day=day)
    return Step(microseconds=max(_most(np.diff(times)[~breaks]), 1))


def aligned(step: Step, times: Array) -> tuple[Step, Array]:
    """A step with the day of the month that times have, and the beginning of the step that each falls into.

    The grid is that of most of the times, if half of them lie on one; else it begins with the hour, with the
    day, on Monday, or on the first of the month.

    Args:
        step: that is wanted.
        times: int64 (rows,), microseconds since 1970.
    """
    if not step.months:
        shift = _shared(times % step.microseconds, _MONDAY if step.microseconds % _WEEK == 0 else 0)
        return step, step.floor(times - shift) + shift
    found = Step(months=step.months, day=_day_of(times) or 1)
    months = times.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    shift = _shared(months % step.months, 0)
    months = (months - shift) // step.months * step.months + shift
    distinct, places = np.unique(months, return_inverse=True)
    begins = distinct.astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)
    return found, np.array([found.times(begin, 0, 1)[0] for begin in begins.tolist()], np.int64)[places]


def _most(numbers: Array) -> int:
    """The number that is there most often, the least of such."""
    distinct, counts = np.unique(numbers, return_counts=True)
    return int(distinct[counts.argmax()])


def _shared(numbers: Array, otherwise: int) -> int:
    """What at least half of the numbers are."""
    most = _most(numbers)
    return most if 2 * np.count_nonzero(numbers == most) >= len(numbers) else otherwise


def _months(times: Array, breaks: Array) -> Step | None:
    months = times.astype("datetime64[us]").astype("datetime64[M]")
    apart = np.diff(months.astype(np.int64))[~breaks]
    if not (apart == apart[0]).all() or apart[0] < 1 or (day := _day_of(times)) is None:
        return None
    return Step(months=int(apart[0]), day=day)


def _day_of(times: Array) -> int | None:
    """The day of the month that all times are on, or the last one of a shorter month; None if they differ."""
    moments = times.astype("datetime64[us]")
    months, days = moments.astype("datetime64[M]"), moments.astype("datetime64[D]")
    within = moments - days.astype("datetime64[us]")
    if (within != within[0]).any():
        return None
    day = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
    lengths = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    # Only one that ends a month may be earlier than the others: of 31 January follows 28 February.
    wanted = 31 if (day == lengths).all() else int(day.max())
    return None if (day != np.minimum(wanted, lengths)).any() else wanted
