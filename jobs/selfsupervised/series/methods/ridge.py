"""Ridge regression on windows, in closed form."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from jobs.selfsupervised.series.methods.method import Array, Method, Origins, Windows

#: Penalties that are tried, of a normalised window's number.
PENALTIES = (1e-4, 1e-3, 3e-3, 1e-2, 0.03, 0.1, 0.3)
#: Those that grow with the age of a row.
GROWING = (1e-3, 3e-3, 1e-2, 0.03, 0.1)
#: How they grow, and what part of its penalty a row has that is whole seasons before the one ahead: the
#: weights of such rows are larger as a rule (docs/decisions.md).
_GROWTH, _SEASONAL = 1.5, 0.25
#: The shortest season of which rows beside whole seasons have a smaller penalty, too.
_BESIDE = 8
#: Windows that are fitted to at most, evenly spread.
MOST = 200_000


@dataclass
class Ridge(Method):
    """The rows ahead as weighted sums of the normalised rows before, and of what is known ahead.

    Attributes:
        weights: float64 (window + horizon * covariates, horizon).
        intercept: float64 (horizon,).
        penalty: that was chosen.
    """

    weights: Array = field(default_factory=lambda: np.zeros((0, 0)))
    intercept: Array = field(default_factory=lambda: np.zeros(0))
    penalty: float = 0.0

    def forecast(self, windows: Windows) -> Array:
        """See `Method`."""
        found: Array = features(windows, self.horizon) @ self.weights + self.intercept
        return found


def features(windows: Windows, horizon: int) -> Array:
    """What is regressed on, float64 (count, window + horizon * covariates)."""
    origins = windows.origins
    if not origins.panel.covariates.shape[1]:
        return windows.numbers
    ahead = origins.panel.ahead(origins.places, origins.channels, horizon)
    return np.concatenate([windows.numbers, ahead], axis=1)


@dataclass
class Moments:
    """All that the closed form takes of any number of windows."""

    count: int
    inputs: Array  # (features,)
    targets: Array  # (horizon,)
    squares: Array  # (features, features)
    products: Array  # (features, horizon)

    @classmethod
    def of(
        cls, origins: Origins, window: int, horizon: int, go_on: Callable[[int], None] = lambda done: None
    ) -> "Moments":
        """Sums over windows; `go_on` is called with how many are done.

        Raises:
            Stopped: `go_on` did.
        """
        width = window + horizon * origins.panel.covariates.shape[1]
        found = cls(
            0, np.zeros(width), np.zeros(horizon), np.zeros((width, width)), np.zeros((width, horizon))
        )
        for part, block in origins.blocks():
            windows = Windows.before(block, window)
            truths = (block.truths(horizon) - windows.means) / windows.deviations
            counted = np.arange(len(block)) < part.stop - part.start
            inputs, truths = features(windows, horizon)[counted], truths[counted]
            found.count += len(inputs)
            found.inputs += inputs.sum(axis=0)
            found.targets += truths.sum(axis=0)
            found.squares += inputs.T @ inputs
            found.products += inputs.T @ truths
            go_on(part.stop)
        return found

    def solved(self, window: int, horizon: int, penalties: tuple[float, ...] = PENALTIES) -> list[Ridge]:
        """The regression for each penalty."""
        inputs, targets = self.inputs / self.count, self.targets / self.count
        squares = self.squares / self.count - np.outer(inputs, inputs)
        products = self.products / self.count - np.outer(inputs, targets)
        values, vectors = np.linalg.eigh(squares)
        turned = vectors.T @ products
        found = []
        for penalty in penalties:
            weights = vectors @ (turned / (np.maximum(values, 0.0) + penalty)[:, np.newaxis])
            intercept = targets - inputs @ weights
            found.append(
                Ridge("ridge", horizon, window, weights=weights, intercept=intercept, penalty=penalty)
            )
        return found

    def solved_by_age(
        self, window: int, horizon: int, season: int, penalties: tuple[float, ...] = GROWING
    ) -> list[Ridge]:
        """The regression for each penalty, which is larger for older rows, and smaller for whole seasons.

        The row of age a (1 is the last) has (1 + a / season)^1.5 times the penalty; in the forecast of a row
        ahead a quarter of this where it is whole seasons before, and half of it in the rows beside. This is
        generalised Tikhonov regularisation with a diagonal of which few numbers change from row ahead to row
        ahead: one matrix is inverted, and what they change follows by Woodbury's identity.

        Args:
            window: rows before.
            horizon: rows ahead.
            season: rows after which the series repeat; 1 if they do not.
            penalties: to try.
        """
        inputs, targets = self.inputs / self.count, self.targets / self.count
        squares = self.squares / self.count - np.outer(inputs, inputs)
        products = self.products / self.count - np.outer(inputs, targets)
        ages = np.arange(window, 0, -1)
        growth = np.ones(len(inputs))
        growth[:window] = (1 + ages / (season if season > 1 else horizon)) ** _GROWTH
        found = []
        for penalty in penalties:
            inverse = np.linalg.inv(squares + np.diag(penalty * growth))
            weights = inverse @ products
            for first in range(min(season, horizon) if season > 1 else 0):
                steps = np.arange(first, horizon, season)
                less = penalty * growth[:window] * (1 - _seasonal(ages + first, season))
                rows = np.flatnonzero(less)
                changed = np.diag(1 / less[rows]) - inverse[np.ix_(rows, rows)]
                weights[:, steps] += inverse[:, rows] @ np.linalg.solve(changed, weights[np.ix_(rows, steps)])
            intercept = targets - inputs @ weights
            found.append(
                Ridge("ridge", horizon, window, weights=weights, intercept=intercept, penalty=penalty)
            )
        return found


def _seasonal(apart: Array, season: int) -> Array:
    """What part of its penalty a row has that is so many rows before the one ahead, float64."""
    found = np.where(apart % season == 0, _SEASONAL, 1.0)
    if season >= _BESIDE:
        found[(apart % season == 1) | (apart % season == season - 1)] = np.sqrt(_SEASONAL)
    return found
