"""Forecasts that learn nothing: what was last goes on, the last season again, a straight line."""

from dataclasses import dataclass

import numpy as np

from jobs.selfsupervised.series.methods.method import Array, Method, Windows


class Last(Method):
    """The last value goes on."""

    def forecast(self, windows: Windows) -> Array:
        """See `Method`."""
        return np.repeat(windows.numbers[:, -1:], self.horizon, axis=1)


@dataclass
class SeasonalNaive(Method):
    """The last season comes again: of a place without a whole one before it, the last value goes on.

    Attributes:
        season: its rows.
    """

    season: int = 1

    def forecast(self, windows: Windows) -> Array:
        """See `Method`."""
        origins = windows.origins
        values, _ = origins.panel.before(origins.places, origins.channels, self.season)
        values = (values - windows.means) / windows.deviations
        values = np.where(np.isnan(values), windows.numbers[:, -1:], values)
        return values[:, np.arange(self.horizon) % self.season]


class Linear(Method):
    """The straight line through the window goes on, that of the least squares."""

    def forecast(self, windows: Windows) -> Array:
        """See `Method`."""
        rows = np.arange(self.window) - (self.window - 1) / 2
        # Element by element: no sum whose order a library chooses by the number of windows.
        slopes = (windows.numbers * rows).sum(axis=1) / np.square(rows).sum()
        ahead = np.arange(self.horizon) + (self.window + 1) / 2
        found: Array = windows.numbers.mean(axis=1)[:, np.newaxis] + slopes[:, np.newaxis] * ahead
        return found
