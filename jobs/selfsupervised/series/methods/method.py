"""What all methods have in common: z-scores ahead of places, always computed so many at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jobs.selfsupervised.series.panel import LEAST_DEVIATION, LEAST_SPREAD, Panel, normalised

Array = np.ndarray[Any, Any]

#: Places in one computation. Every one has this many, so that a forecast depends on its own place alone, to
#: the last bit, and not on how many others were asked for.
ROWS = 256


@dataclass(frozen=True)
class Origins:
    """Places of a panel to forecast from.

    Attributes:
        panel: theirs.
        places: int64 (count,); one may be the place after the last one of its channel.
        channels: int64 (count,), the channel of each.
    """

    panel: Panel
    places: Array
    channels: Array

    @classmethod
    def of(cls, panel: Panel, places: Array) -> "Origins":
        """Places within their channels."""
        return cls(panel, places, panel.channel_of(places))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, chosen: Any) -> "Origins":
        return Origins(self.panel, self.places[chosen], self.channels[chosen])

    def blocks(self) -> Iterator[tuple[slice, "Origins"]]:
        """Blocks of `ROWS`; the last one is filled up by its first place."""
        for first in range(0, len(self), ROWS):
            part = slice(first, min(first + ROWS, len(self)))
            chosen = np.full(ROWS, first)
            chosen[: part.stop - first] = np.arange(first, part.stop)
            yield part, self[chosen]

    def some(self, most: int) -> "Origins":
        """At most so many, evenly spread."""
        if len(self) <= most:
            return self
        return self[np.arange(most) * len(self) // most]

    def truths(self, horizon: int) -> Array:
        """What came, z-scores float64 (count, horizon); NaN where a value is missing."""
        return self.panel.after(self.places, self.channels, horizon)


@dataclass(frozen=True)
class Windows:
    """What lies before a block of places.

    Attributes:
        origins: the places.
        numbers: float64 (count, window), by the mean and deviation of what was seen; 0 where nothing was.
        seen: bool (count, window).
        means, deviations: float64 (count, 1), z-scores; the mean is NaN where there is nothing to go by.
    """

    origins: Origins
    numbers: Array
    seen: Array
    means: Array
    deviations: Array

    @property
    def spreads(self) -> Array:
        """What the width of intervals goes by, float64 (count, 1), z-scores."""
        return self.deviations - LEAST_DEVIATION + LEAST_SPREAD

    @classmethod
    def before(cls, origins: Origins, window: int) -> "Windows":
        """Those of so many rows."""
        values, seen = origins.panel.before(origins.places, origins.channels, window)
        return cls(origins, seen=seen, **_named(normalised(values, seen)))


def _named(found: tuple[Array, Array, Array]) -> dict[str, Array]:
    return dict(zip(("numbers", "means", "deviations"), found, strict=True))


@dataclass
class Method:
    """A way to forecast.

    Attributes:
        name: as a spec has it.
        horizon: rows to forecast.
        window: rows that it looks back on.
        levels: of the quantiles.
        offsets: float64 (levels, horizon), of the quantiles from the forecast in spreads of the window.
    """

    name: str
    horizon: int
    window: int
    levels: tuple[float, ...] = ()
    offsets: Array = field(default_factory=lambda: np.zeros((0, 0)))

    def forecast(self, windows: Windows) -> Array:
        """In deviations of the window from its mean, float64 (count, horizon)."""
        raise NotImplementedError

    def quantiles(self, windows: Windows, forecast: Array) -> Array:
        """The same of the quantiles, float64 (count, levels, horizon)."""
        return forecast[:, np.newaxis] + self.moved(windows)

    def moved(self, windows: Windows) -> Array:
        """The offsets in deviations of the window, float64 (count, levels, horizon)."""
        found: Array = self.offsets * (windows.spreads / windows.deviations)[:, np.newaxis]
        return found

    def predict(self, origins: Origins, with_quantiles: bool = True) -> tuple[Array, Array]:
        """Z-scores float64 (count, horizon), and their quantiles (count, levels, horizon).

        NaN where there is nothing to go by.
        """
        points = np.empty((len(origins), self.horizon))
        quantiles = np.empty((len(origins), len(self.levels) if with_quantiles else 0, self.horizon))
        for part, block in origins.blocks():
            windows = Windows.before(block, self.window)
            forecast = self.forecast(windows)
            count = part.stop - part.start
            points[part] = (forecast * windows.deviations + windows.means)[:count]
            if with_quantiles:
                found = np.sort(self.quantiles(windows, forecast), axis=1)
                found = found * windows.deviations[:, np.newaxis] + windows.means[:, np.newaxis]
                quantiles[part] = found[:count]
        return points, quantiles

    def calibrate(self, origins: Origins, levels: tuple[float, ...]) -> None:
        """Takes the quantiles of its errors on rows that it was not fitted to."""
        self.levels = levels
        truths = origins.truths(self.horizon)
        points, _ = self.predict(origins, with_quantiles=False)
        errors = (truths - points) / self.spreads(origins)
        self.offsets = (quantiles_of_few if are_few(errors) else quantiles_of)(errors, levels)

    def spreads(self, origins: Origins) -> Array:
        """Of the windows before places, float64 (count, 1)."""
        found = np.empty((len(origins), 1))
        for part, block in origins.blocks():
            found[part] = Windows.before(block, self.window).spreads[: part.stop - part.start]
        return found


#: Errors that tell on which side of the forecasts what comes will be, at least.
FEWEST_ERRORS = 100
#: Errors that a step's quantiles are taken of, at least: of fewer, those of all steps count together.
_ERRORS = 50


def quantiles_of(errors: Array, levels: tuple[float, ...]) -> Array:
    """Of errors (count, horizon) with NaN, float64 (levels, horizon)."""
    counts = (~np.isnan(errors)).sum(axis=0)
    if not counts.sum():
        return np.zeros((len(levels), errors.shape[1]))
    if counts.min() < _ERRORS:
        together = np.nanquantile(errors, levels)
        return np.repeat(together[:, np.newaxis], errors.shape[1], axis=1)
    return np.asarray(np.nanquantile(errors, levels, axis=0))


def are_few(errors: Array) -> bool:
    """Whether there are so few that it may be chance on which side they are."""
    return int(np.count_nonzero(~np.isnan(errors))) < FEWEST_ERRORS


def quantiles_of_few(errors: Array, levels: tuple[float, ...]) -> Array:
    """Of errors as `quantiles_of` takes them, each with both signs, so that the forecast lies among them."""
    both = np.concatenate([errors, -errors])
    # Weibull's positions, level times count + 1: those between, which are usual, are too narrow for a few.
    found = np.nanquantile(both, levels, method="weibull")
    return np.repeat(found[:, np.newaxis], errors.shape[1], axis=1)
