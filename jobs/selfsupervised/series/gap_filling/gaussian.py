"""What is missing, given what is seen around it: the conditional mean and variance of a Gaussian process.

The covariances are those of the series themselves (no kernel is chosen): the sum of products at each
distance, over the roots of how many values there are, which makes every matrix of them positive semidefinite.
"""

from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from jobs.selfsupervised.series.gap_filling.standard import Standard, Stretch

Array = np.ndarray[Any, Any]

#: Rows of a gap that are filled together; a longer one is filled in pieces.
PIECE = 168
#: Part of the variance that is taken for noise of single values.
_NOISE = 0.01
#: Variance of the level of a stretch, which no longer than the window is known.
_LEVEL = 1.0
#: Other columns that have a part, rows around the gap that are taken of each, and how far they are believed.
_OTHERS, _AROUND, _BELIEF = 5, 1, 0.8
#: Numbers that covariances are computed from, at most.
_NUMBERS = 2**24


class Gaussian:
    """Fills in gaps of deviations (`Standard.deviating`).

    Args:
        standard: how numbers became deviations.
        learned: the rows that the covariances are computed from.
        window: rows of the same column around a gap that are looked at.
        others: whether other columns are looked at, too.
    """

    def __init__(self, standard: Standard, learned: Stretch, window: int, others: bool) -> None:
        self._standard, self._learned = standard, learned
        self._window, self._others = window, others
        self._lags = window + PIECE
        self._pairs: dict[tuple[int, int], Array] = {}

    def conditional(self, values: Array, column: int, first: int, end: int) -> tuple[Array, Array]:
        """Mean and variance of the rows of a gap, float64 (rows,) each.

        Args:
            values: of the series, float64 (rows, columns), NaN where one is missing; those of the gap have no
                part in it.
            column: which.
            first: the first row of the gap, of `PIECE` at most.
            end: the row after its last one.
        """
        seen = self._seen(values, column, first, end)
        gap = np.arange(first, end)
        variance = float(self._of(column, column)[self._lags]) + _LEVEL
        known = np.concatenate([values[rows, each] for each, rows in seen])
        if not len(known):
            return np.zeros(len(gap)), np.full(len(gap), variance)
        own = len(seen[0][1])  # of the same column, which come first
        among = np.block([[self._covariance(*each, *other) for other in seen] for each in seen])
        across = np.concatenate([self._covariance(*each, column, gap) for each in seen])
        among[:own, :own] += _LEVEL
        across[:own] += _LEVEL
        among[np.diag_indices(len(known))] += _NOISE
        factor = cho_factor(among, lower=True, overwrite_a=True, check_finite=False)
        weights = cho_solve(factor, across, check_finite=False)  # (seen, gap)
        return weights.T @ known, np.maximum(variance - (across * weights).sum(axis=0), 0.0)

    def _seen(self, values: Array, column: int, first: int, end: int) -> list[tuple[int, Array]]:
        """The rows that are looked at, column by column, this one first."""
        count = len(values)
        low, high = first - self._window // 2, end + self._window // 2
        # At either end of the series, more of the other side.
        low, high = low - max(high - count, 0), high - min(low, 0)
        rows = np.arange(max(low, 0), min(high, count))
        found = [(column, rows[~np.isnan(values[rows, column]) & ((rows < first) | (rows >= end))])]
        if self._others:
            near = np.arange(max(first - _AROUND, 0), min(end + _AROUND, count))
            found += [(other, near[~np.isnan(values[near, other])]) for other in self._nearest[column]]
        return found

    def _covariance(self, column: int, rows: Array, other: int, there: Array) -> Array:
        """Of values of a column with those of another, float64 (rows, there)."""
        found: Array = self._of(column, other)[there[np.newaxis] - rows[:, np.newaxis] + self._lags]
        return found

    def _of(self, column: int, other: int) -> Array:
        """The covariance of two columns at each distance from `-lags` to `lags`."""
        if (column, other) not in self._pairs:
            spectrum = np.conj(self._spectra[column]) * self._spectra[other]
            products = np.fft.irfft(spectrum, self._length)
            found = np.concatenate([products[-self._lags :], products[: self._lags + 1]])
            self._pairs[column, other] = found * (1.0 if column == other else _BELIEF)
        return self._pairs[column, other]

    @cached_property
    def _series(self) -> list[int]:
        """Those that covariances are computed from: all, or as many as are enough, evenly spread."""
        lengths = self._learned.lengths
        there = np.flatnonzero(lengths > 0)
        numbers = float((lengths[there] + self._lags).sum()) * len(self._standard.places)
        most = max(1, int(len(there) * min(1.0, _NUMBERS / max(numbers, 1.0))))
        spread = np.unique(np.linspace(0, max(len(there) - 1, 0), most).astype(np.int64))
        return [int(number) for number in there[spread]]

    @cached_property
    def _length(self) -> int:
        """Of the series one after the other, so far apart that no two of them meet."""
        rows = sum(int(self._learned.lengths[n]) + self._lags for n in self._series)
        return max(2, 1 << (rows + self._lags).bit_length())

    @cached_property
    def _spectra(self) -> list[Array]:
        numbers = np.zeros((self._length, len(self._standard.places)))
        place = 0
        counts = np.zeros(len(self._standard.places))
        for series in self._series:
            part = self._standard.deviating(series)[self._learned.of(series)]
            seen = ~np.isnan(part)
            counts += seen.sum(axis=0)
            numbers[place : place + len(part)] = np.where(seen, part, 0.0)
            place += len(part) + self._lags
        return [
            np.fft.rfft(numbers[:, column]) / np.sqrt(max(counts[column], 1.0))
            for column in range(numbers.shape[1])
        ]

    @cached_property
    def _nearest(self) -> list[list[int]]:
        """Of each column, the others that go most with it at the same time."""
        count = len(self._standard.places)
        # By Parseval's theorem the sum of products at distance 0, of all pairs at once.
        flat = np.stack(self._spectra)
        alike = np.abs(np.real(np.conj(flat) @ flat.T))
        np.fill_diagonal(alike, -1.0)
        return [np.argsort(-row, kind="stable")[: min(_OTHERS, count - 1)].tolist() for row in alike]
