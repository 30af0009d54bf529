"""The columns of all series of a table as z-scores, each by itself, and what lies before and after a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.datasets.tables.table import Table, chosen
from jobs.selfsupervised.series.seasons import filled

Array = np.ndarray[Any, Any]

#: What a window's deviation is enlarged by, in deviations of its channel: a quiet stretch says little of the
#: size of what follows. Ridge regression on pedestrians, 336 rows to 96: 0.1249 with 0.1, 0.1243 with 1.
LEAST_DEVIATION = 1.0
#: The same for the width of intervals, which follow the noise of a window: with 1, those of ETTh1 that are to
#: hold 80 % hold 87 %; with 0.1 they hold 83 %.
LEAST_SPREAD = 0.1


@dataclass(frozen=True)
class Rows:
    """Which rows of a table have a part, and where each series begins among them.

    Attributes:
        kept: bool (rows of the table,).
        first: int64 (series,), the number in its series of the first row kept.
        offsets: int64 (series + 1,), where the rows of each series begin among those kept.
    """

    kept: Array
    first: Array
    offsets: Array

    @classmethod
    def between(cls, table: Table, since: int | None = None, until: int | None = None) -> "Rows":
        """The rows from one time on, and before another, microseconds since 1970."""
        lengths = np.diff(table.offsets)
        first, end = np.zeros(len(table.ids), np.int64), lengths.astype(np.int64)
        for series in range(len(table.ids) if since is not None or until is not None else 0):
            times = table.times(series)
            first[series] = 0 if since is None else np.searchsorted(times, since)
            end[series] = len(times) if until is None else np.searchsorted(times, until)
        return cls.of(table, first, np.maximum(first, end))

    @classmethod
    def of(cls, table: Table, first: Array, end: Array) -> "Rows":
        """The rows of each series from `first` to before `end`, int64 (series,) each."""
        numbers = np.arange(len(table)) - table.offsets[:-1].repeat(np.diff(table.offsets))
        lengths = np.diff(table.offsets)
        kept = (numbers >= first.repeat(lengths)) & (numbers < end.repeat(lengths))
        return cls(kept, first, np.concatenate([[0], np.cumsum(end - first)]).astype(np.int64))

    @property
    def lengths(self) -> Array:
        """Rows of each series, int64 (series,)."""
        return np.diff(self.offsets)


class Panel:
    """A table's columns, channel after channel: every series of the first column, then of the second.

    A place is a row of a channel, counted through all of them. Values are z-scores by the rows before
    `known_to` of their series; no later row has any part in them.

    Args:
        table: the numbers.
        rows: of it that have a part.
        columns: to take, by name.
        covariates: columns that are known ahead.
        known_to: int64 (series,), the row of each series from which on nothing may be known.
        season: rows after which missing values repeat those before.

    Attributes:
        values: float64 (places,), NaN where one is missing.
        filled: the same; a missing one is that of the season before, or else the last one before.
        seen: bool (places,), whether a value is there.
        starts: int64 (channels,), the first place of each.
        lengths: int64 (channels,), rows of each.
        centers, scales: float64 (channels,); a value is a z-score times the scale plus the center.
        covariates: float64 (rows, covariates), z-scores; 0 where one is missing.
        given: bool (rows, covariates), where one is there.

    Raises:
        BadInput: there is no such column.
    """

    def __init__(
        self,
        table: Table,
        rows: Rows,
        columns: Sequence[str],
        covariates: Sequence[str],
        known_to: Array,
        season: int = 1,
    ) -> None:
        self.table, self.rows, self.columns = table, rows, tuple(columns)
        self.series, self.count = len(table.ids), int(rows.offsets[-1])
        places = chosen(columns, table.columns, "column")
        numbers = table.values if rows.kept.all() else table.values[rows.kept]
        flat = np.ascontiguousarray(numbers[:, places].T, np.float64).reshape(-1)
        column = np.arange(len(columns))[:, np.newaxis] * self.count
        self.starts = (column + rows.offsets[:-1]).reshape(-1)
        self.lengths = np.tile(rows.lengths, len(columns))
        self.seen = ~np.isnan(flat)
        ends = self.starts + np.minimum(np.tile(known_to, len(columns)), self.lengths)
        self.centers, self.scales, known = _statistics(flat, self.seen, self.starts, ends)
        self.unknown = ~known
        repeats = self.lengths
        self.values = (flat - self.centers.repeat(repeats)) / self.scales.repeat(repeats)
        self.seen &= known.repeat(repeats)
        self.values[~self.seen] = np.nan
        self.take_season(season)
        self.covariates = self._known_ahead(numbers, chosen(covariates, table.columns, "column"), known_to)

    def take_season(self, season: int) -> None:
        """Fills in missing values by a season."""
        self.season = season
        self.filled = self._filled()

    def _filled(self) -> Array:
        if self.seen.all():
            return self.values
        found = self.values.copy()
        there = np.concatenate([[0], np.cumsum(self.seen)])
        gaps = self.lengths - (there[self.starts + self.lengths] - there[self.starts])
        for channel in np.flatnonzero(gaps):
            place = slice(int(self.starts[channel]), int(self.starts[channel] + self.lengths[channel]))
            found[place] = filled(found[place], self.season)
        return found

    def _known_ahead(self, numbers: Array, places: Sequence[int], known_to: Array) -> Array:
        found = np.zeros((self.count, len(places)))
        self.given = ~np.isnan(np.asarray(numbers[:, list(places)], np.float64))
        repeats = self.rows.lengths
        for number, place in enumerate(places):
            column = np.array(numbers[:, place], np.float64)
            seen = ~np.isnan(column)
            starts = self.rows.offsets[:-1]
            centers, scales, _ = _statistics(column, seen, starts, starts + np.minimum(known_to, repeats))
            z_scores = (column - centers.repeat(repeats)) / scales.repeat(repeats)
            found[:, number] = np.where(seen, z_scores, 0.0)
        return found

    def channel_of(self, places: Array) -> Array:
        """The channels of places, int64."""
        nonempty = np.flatnonzero(self.lengths > 0)
        found: Array = nonempty[np.searchsorted(self.starts[nonempty], places, side="right") - 1]
        # The row after the last one is a place to forecast from, too: see `origins_at`.
        return found

    def origins(self, first: Array, end: Array, horizon: int, window: int, whole: bool) -> tuple[Array, int]:
        """Places to forecast from, in order, and how many more were left out.

        Left out is what has a missing value to forecast (if they are to be whole), nothing to forecast, or no
        value to go by.

        Args:
            first: int64 (series,), the first row that may be forecast.
            end: int64 (series,), the row after the last one.
            horizon: rows to forecast.
            window: rows before, half of which are to be there if the forecast is to be whole.
            whole: whether no value to forecast may be missing.
        """
        columns = len(self.columns)
        first, end = np.tile(first, columns), np.minimum(np.tile(end, columns), self.lengths)
        changes = np.zeros(len(self.values) + 1, np.int32)
        some = end - horizon >= first
        np.add.at(changes, (self.starts + first)[some], 1)
        np.add.at(changes, (self.starts + end - horizon + 1)[some], -1)
        within = np.cumsum(changes[:-1]) > 0
        total = int(np.count_nonzero(within))
        there = np.concatenate([[0], np.cumsum(self.seen)])
        places = np.flatnonzero(within)
        ahead = there[np.minimum(places + horizon, len(self.seen))] - there[places]
        starts = self.starts[self.channel_of(places)] if len(places) else places
        before = there[places] - there[np.maximum(places - window, starts)]
        usable = (ahead == horizon) & (2 * before >= window) if whole else (ahead > 0)
        if not whole:
            usable &= (there[places] - there[starts]) > 0
        return places[usable], total - int(np.count_nonzero(usable))

    def before(self, origins: Array, channels: Array, window: int) -> tuple[Array, Array]:
        """The filled values of the rows before places, and which of them were seen, (count, window)."""
        places = origins[:, np.newaxis] + np.arange(-window, 0)
        inside = places >= self.starts[channels][:, np.newaxis]
        places = np.maximum(places, 0)
        return np.where(inside, self.filled[places], np.nan), inside & self.seen[places]

    def after(self, origins: Array, channels: Array, horizon: int) -> Array:
        """The values from places on, float64 (count, horizon); NaN where one is missing."""
        places = origins[:, np.newaxis] + np.arange(horizon)
        inside = places < (self.starts + self.lengths)[channels][:, np.newaxis]
        found: Array = np.where(inside, self.values[np.minimum(places, len(self.values) - 1)], np.nan)
        return found

    def ahead(self, origins: Array, channels: Array, horizon: int) -> Array:
        """The covariates from places on, float64 (count, horizon * covariates); 0 where there are none."""
        rows = (origins - self.starts[channels] + self.rows.offsets[channels % self.series])[:, np.newaxis]
        rows = rows + np.arange(horizon)
        inside = rows < self.rows.offsets[channels % self.series + 1][:, np.newaxis]
        found = self.covariates[np.minimum(rows, max(self.count - 1, 0))]
        known: Array = (found * inside[:, :, np.newaxis]).reshape(len(origins), -1)
        return known

    def times(self, origins: Array, channels: Array) -> Array:
        """The times of places, int64 microseconds since 1970."""
        series = channels % self.series
        return moments(self.table, series, origins - self.starts[channels] + self.rows.first[series])


def moments(table: Table, series: Array, rows: Array) -> Array:
    """The times of rows of series, which may be before the first or after the last one.

    Args:
        table: theirs.
        series: int64 (count,).
        rows: int64 (count,), by their numbers in their series.

    Returns:
        int64 (count,), microseconds since 1970.
    """
    if not table.step.months:
        found: Array = table.starts[series] + rows * table.step.microseconds
        return found
    found = np.empty(len(rows), np.int64)
    starts, places = np.unique(table.starts[series], return_inverse=True)
    for number, start in enumerate(starts.tolist()):
        of_it = places == number
        first = int(rows[of_it].min())
        times = table.step.times(start, first, int(rows[of_it].max()) - first + 1)
        found[of_it] = times[rows[of_it] - first]
    return found


def normalised(values: Array, seen: Array) -> tuple[Array, Array, Array]:
    """Windows by the mean and deviation of what is seen of them, in float64; 0 where nothing is.

    Args:
        values: (count, window), filled; NaN where nothing can be.
        seen: (count, window), whether a value was there; if none was, what is filled in counts.

    Returns:
        The windows (count, window); means (count, 1), NaN of a window without any value; and deviations.
    """
    there = ~np.isnan(values)
    counted = np.where(seen.any(axis=1, keepdims=True), seen, there)
    numbers = np.where(there, values, 0.0)
    count = counted.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        means = (numbers * counted).sum(axis=1, keepdims=True) / count
    centred = np.where(there, numbers - means, 0.0)
    variances = (np.square(centred) * counted).sum(axis=1, keepdims=True) / np.maximum(count, 1)
    deviations = np.sqrt(variances) + LEAST_DEVIATION
    return centred / deviations, means, deviations


def _statistics(flat: Array, seen: Array, starts: Array, ends: Array) -> tuple[Array, Array, Array]:
    """Center and scale of stretches, and whether any value is seen in them; 0 and 1 where none is."""
    inside = np.zeros(len(flat) + 1, np.int32)
    np.add.at(inside, starts[ends > starts], 1)
    np.add.at(inside, ends[ends > starts], -1)
    counted = seen & (np.cumsum(inside[:-1]) > 0)
    places = np.flatnonzero(counted)
    count = np.searchsorted(places, ends) - np.searchsorted(places, starts)
    some = np.flatnonzero(count)
    centers, scales = np.zeros(len(starts)), np.ones(len(starts))
    if len(some):
        begins = np.searchsorted(places, starts[some])
        shift, numbers = flat[places[begins]], flat[places]
        # By the first value and the widest distance from it: no square of 1e200 and no loss at 1e12 + 1.
        numbers = numbers / 2 - shift.repeat(count[some]) / 2
        widest = np.maximum.reduceat(np.abs(numbers), begins)
        unit = np.where(widest > 0, widest, 1.0)
        numbers = numbers / unit.repeat(count[some])
        means = np.add.reduceat(numbers, begins) / count[some]
        centred = numbers - means.repeat(count[some])
        deviations = np.sqrt(np.add.reduceat(np.square(centred), begins) / count[some])
        centers[some] = shift + 2 * means * unit
        wide = 2 * deviations * unit
        scales[some] = np.where((widest > 0) & (wide > 0) & np.isfinite(wide), wide, 1.0)
    return centers, scales, count > 0
