"""A table's numbers as deviations from what is usual at their time: what a Gaussian of them is fitted to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jobs.datasets.tables.table import Table

Array = np.ndarray[Any, Any]

#: Added to the variance at each time of the season, so that a quiet hour is not taken for one without noise.
_LEAST_VARIANCE = 0.02


@dataclass(frozen=True)
class Stretch:
    """Some rows of each series, one after the other.

    Attributes:
        first: int64 (series,), the first of each.
        end: int64 (series,), the row after the last one.
    """

    first: Array
    end: Array

    @property
    def lengths(self) -> Array:
        """Rows of each series, int64 (series,)."""
        found: Array = np.maximum(self.end - self.first, 0)
        return found

    def of(self, series: int) -> slice:
        """Those of one series."""
        return slice(int(self.first[series]), int(self.end[series]))


@dataclass(frozen=True)
class Season:
    """How series repeat.

    Attributes:
        rows: after which they do; 1 if they do not.
        uneven: whether what differs from the mean differs more at some times of the season than at others.
    """

    rows: int = 1
    uneven: bool = False


@dataclass(frozen=True)
class Standard:
    """How numbers become deviations, and back.

    A number is first a z-score by its series and column; from it the mean of all series at this time of the
    season is taken, and the rest divided by the deviation there.

    Attributes:
        table: the numbers.
        places: the columns that have a part.
        centers: float64 (series, columns), NaN where nothing is seen.
        scales: float64 (series, columns).
        spreads: float64 (series, columns), the scales, but 0 for a column with one value alone.
        least: float64 (series, columns), 0 for a column that is never below it, else minus infinity.
        season: rows after which the season begins again; 1 if there is none.
        means, deviations: float64 (season, columns), of z-scores.
    """

    table: Table
    places: tuple[int, ...]
    centers: Array
    scales: Array
    spreads: Array
    least: Array
    season: int
    means: Array
    deviations: Array

    @classmethod
    def of(cls, table: Table, places: Sequence[int], learned: Stretch, season: "Season") -> "Standard":
        """By some rows of each series; no other has a part in it."""
        shape = (len(table.ids), len(places))
        found = cls(
            table,
            tuple(places),
            np.full(shape, np.nan),
            np.ones(shape),
            np.zeros(shape),
            np.full(shape, -np.inf),
            1,
            np.zeros((1, shape[1])),
            np.ones((1, shape[1])),
        )
        for series in range(shape[0]):
            found._take(series, found.numbers(series)[learned.of(series)])
        return found.around(season, learned)

    def around(self, season: "Season", learned: Stretch) -> "Standard":
        """The same around a season, by some rows of each series."""
        if season.rows == 1:
            return self
        means = _by_phase(self, learned, season.rows, None)
        found = replace(self, season=season.rows, means=means, deviations=np.ones_like(means))
        if not season.uneven:
            return found
        variances = _by_phase(found, learned, season.rows, means)
        return replace(found, deviations=np.sqrt(variances + _LEAST_VARIANCE))

    def numbers(self, series: int) -> Array:
        """The numbers of a series as they are, float64 (rows, columns)."""
        return np.asarray(self.table.rows(series)[:, self.places], np.float64)

    def phases(self, series: int, first: int, end: int) -> Array:
        """When in the season rows of a series are, int64 (rows,)."""
        step, start = self.table.step, int(self.table.starts[series])
        before = int(step.rows_between(int(step.floor(np.array([0]))[0]), step.floor(np.array([start])))[0])
        found: Array = (before + np.arange(first, end)) % self.season
        return found

    def deviating(self, series: int, numbers: Array | None = None) -> Array:
        """A series' numbers as deviations, float64 (rows, columns); NaN where one is missing.

        Args:
            series: which.
            numbers: those to take in place of the table's.
        """
        scores = self._scores(series, self.numbers(series) if numbers is None else numbers)
        phases = self.phases(series, 0, len(scores))
        found: Array = (scores - self.means[phases]) / self.deviations[phases]
        return found

    def back(self, series: int, column: int, phases: Array, deviations: Array) -> Array:
        """Deviations of one column as numbers."""
        scores = deviations * self.deviations[phases, column] + self.means[phases, column]
        numbers = scores * self.scales[series, column] + self.centers[series, column]
        found: Array = np.maximum(numbers, self.least[series, column])
        return found

    def _scores(self, series: int, numbers: Array) -> Array:
        found: Array = (numbers - self.centers[series]) / self.scales[series]
        return found

    def _take(self, series: int, numbers: Array) -> None:
        seen = ~np.isnan(numbers)
        some = np.flatnonzero(seen.any(axis=0))
        if not len(some):
            return
        numbers, seen = numbers[:, some], seen[:, some]
        # From the first value on: of equal numbers, however large, the mean is this very number.
        shift = numbers[seen.argmax(axis=0), np.arange(len(some))]
        apart = np.where(seen, numbers - shift, 0.0)
        widest = np.abs(apart).max(axis=0)
        unit = np.where(widest > 0, widest, 1.0)
        count = seen.sum(axis=0)
        means = (apart / unit).sum(axis=0) / count
        squares = np.square(np.where(seen, apart / unit - means, 0.0)).sum(axis=0) / count
        self.centers[series, some] = shift + means * unit
        self.spreads[series, some] = np.sqrt(squares) * unit
        self.scales[series, some] = np.where(squares > 0, np.sqrt(squares) * unit, 1.0)
        low = np.where(seen, numbers, np.inf).min(axis=0)
        self.least[series, some] = np.where(low >= 0, 0.0, -np.inf)


def _levels(scores: Array, season: int) -> Array:
    """The mean of a season around each row, of what is seen: what a trend is, and no part of the season."""
    seen = ~np.isnan(scores)
    zeros = np.zeros((1, scores.shape[1]))
    sums = np.concatenate([zeros, np.cumsum(np.where(seen, scores, 0.0), axis=0)])
    counts = np.concatenate([zeros, np.cumsum(seen, axis=0)])
    rows = np.arange(len(scores))
    low, high = np.maximum(rows - season // 2, 0), np.minimum(rows - season // 2 + season, len(scores))
    found: Array = (sums[high] - sums[low]) / np.maximum(counts[high] - counts[low], 1)
    return found


def _by_phase(standard: Standard, learned: Stretch, season: int, means: Array | None) -> Array:
    """The mean z-score at each time of the season, or, with the means given, the variance there."""
    sums = np.zeros((season, len(standard.places)))
    counts = np.zeros_like(sums)
    seasonal = replace(standard, season=season)
    for series in range(len(standard.table.ids)):
        rows = learned.of(series)
        scores = standard._scores(series, standard.numbers(series)[rows])
        scores = scores - _levels(scores, season)
        phases = seasonal.phases(series, rows.start, rows.stop)
        if means is not None:
            scores = np.square(scores - means[phases])
        seen = ~np.isnan(scores)
        np.add.at(sums, phases, np.where(seen, scores, 0.0))
        np.add.at(counts, phases, seen)
    return sums / (counts + 1)  # one more at 0: of a time that is rarely seen, little is said
