"""How far forecasts are from what came: sums over windows in a fixed order, and the figures made of them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jobs.selfsupervised.series.panel import Panel
from jobs.selfsupervised.series.spec import PointScores

Array = np.ndarray[Any, Any]


def scored(points: Array, truths: Array) -> PointScores:
    """Of forecasts (count, horizon), z-scores; what is missing does not count."""
    errors = points - truths
    errors = errors[~np.isnan(errors)]
    return PointScores(mse=float(np.square(errors).mean()), mae=float(np.abs(errors).mean()))


@dataclass
class Sums:
    """Errors of one method over all windows, by channel and by row ahead.

    Attributes:
        squares, absolutes: float64 (channels, horizon), of z-scores.
        percentages: float64 (channels,), absolute errors over half the sum of both sizes, in own units.
        counts: int64 (channels, horizon), values that are there.
    """

    squares: Array
    absolutes: Array
    percentages: Array
    counts: Array

    @classmethod
    def none(cls, channels: int, horizon: int) -> "Sums":
        """Of no window."""
        return cls(
            np.zeros((channels, horizon)),
            np.zeros((channels, horizon)),
            np.zeros(channels),
            np.zeros((channels, horizon), np.int64),
        )

    def add(self, panel: Panel, channels: Array, points: Array, truths: Array) -> None:
        """Adds windows (count, horizon), z-scores."""
        there = ~np.isnan(truths) & ~np.isnan(points)
        errors = np.where(there, points - truths, 0.0)
        np.add.at(self.squares, channels, np.square(errors))
        np.add.at(self.absolutes, channels, np.abs(errors))
        np.add.at(self.counts, channels, there)
        scales, centers = (each[channels][:, np.newaxis] for each in (panel.scales, panel.centers))
        # In own units over the scale: the percentage is the same, and no square of 1e200 is needed.
        shift = centers / scales
        sizes = np.where(there, np.abs(points + shift) + np.abs(truths + shift), 0.0)
        shares = np.abs(errors) / np.where(sizes > 0, sizes, 1.0)
        np.add.at(self.percentages, channels, 200.0 * shares.sum(axis=1))

    def scores(self, chosen: Any = slice(None)) -> PointScores | None:
        """Over some channels; None where no value of theirs is there."""
        return _scores(self.squares[chosen].sum(), self.absolutes[chosen].sum(), self.counts[chosen].sum())

    def by_step(self) -> list[PointScores | None]:
        """By row ahead; None where no value is there."""
        sums = (self.squares.sum(axis=0), self.absolutes.sum(axis=0), self.counts.sum(axis=0))
        return [_scores(*each) for each in zip(*sums, strict=True)]

    def errors(self) -> Array:
        """The mean absolute error of each channel, NaN where there is none, float64 (channels,)."""
        counts = self.counts.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray(self.absolutes.sum(axis=1) / counts)

    def smape(self) -> float | None:
        """Mean over all values, 0 to 200."""
        count = int(self.counts.sum())
        return float(self.percentages.sum()) / count if count else None

    def mase(self, naive: Array) -> float | None:
        """Mean over the channels with a season that does not repeat itself exactly.

        Hyndman and Koehler 2006, https://doi.org/10.1016/j.ijforecast.2006.03.001.

        Args:
            naive: float64 (channels,), as `naive_errors` has it.
        """
        found = self.errors()
        there = (naive > 0) & ~np.isnan(found)
        return float((found[there] / naive[there]).mean()) if there.any() else None


def _scores(squares: float, absolutes: float, count: int) -> PointScores | None:
    if not count:
        return None
    return PointScores(mse=float(squares) / int(count), mae=float(absolutes) / int(count))


def naive_errors(panel: Panel, ends: Array, season: int) -> Array:
    """The mean absolute error of repeating the season before, in rows up to an end; NaN where there is none.

    Args:
        panel: z-scores.
        ends: int64 (series,).
        season: rows.
    """
    found = np.full(len(panel.starts), np.nan)
    ends = np.minimum(np.tile(ends, len(panel.columns)), panel.lengths)
    for channel in np.flatnonzero(ends > season).tolist():
        part = panel.values[panel.starts[channel] : panel.starts[channel] + ends[channel]]
        errors = np.abs(part[season:] - part[:-season])
        errors = errors[~np.isnan(errors)]
        found[channel] = errors.mean() if len(errors) else np.nan
    return found


@dataclass
class Intervals:
    """How good quantiles are, over all windows.

    Attributes:
        levels: theirs.
        pinball: float64 (channels,), sums of losses in z-scores, over the levels.
        inside: int64 (), values between the lowest and the highest quantile.
        count: int64 (channels,), values that are there.
    """

    levels: tuple[float, ...]
    channels: int
    pinball: Array = field(init=False)
    count: Array = field(init=False)
    inside: Array = field(init=False)

    def __post_init__(self) -> None:
        self.pinball, self.count = np.zeros(self.channels), np.zeros(self.channels, np.int64)
        self.inside = np.zeros((), np.int64)

    def add(self, channels: Array, quantiles: Array, truths: Array) -> None:
        """Adds windows: quantiles (count, levels, horizon), truths (count, horizon)."""
        there = ~np.isnan(truths) & ~np.isnan(quantiles[:, 0])
        beyond = np.where(there[:, np.newaxis], truths[:, np.newaxis] - quantiles, 0.0)
        levels = np.array(self.levels)[:, np.newaxis]
        losses = np.maximum(levels * beyond, (levels - 1.0) * beyond)
        np.add.at(self.pinball, channels, losses.sum(axis=(1, 2)))
        np.add.at(self.count, channels, there.sum(axis=1))
        with np.errstate(invalid="ignore"):
            inside = there & (truths >= quantiles[:, 0]) & (truths <= quantiles[:, -1])
        self.inside += inside.sum()

    def mean_pinball(self) -> float:
        """Over all values and levels, in z-scores."""
        return float(self.pinball.sum()) / max(int(self.count.sum()), 1) / len(self.levels)

    def pinball_in_units(self, scales: Array) -> float:
        """The mean over the channels, in their own units."""
        there = self.count > 0
        found = (self.pinball * scales)[there] / self.count[there] / len(self.levels)
        return float(found.mean()) if there.any() else 0.0

    def coverage(self) -> float:
        """The share of values between the lowest and the highest quantile."""
        return int(self.inside) / max(int(self.count.sum()), 1)
