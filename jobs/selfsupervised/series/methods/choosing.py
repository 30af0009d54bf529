"""The window of ridge regression and its penalty, by the validation part, and the simplest methods."""

from collections.abc import Callable

import numpy as np

from jobs.errors import BadInput
from jobs.selfsupervised.series.methods.method import Method, Origins, Windows
from jobs.selfsupervised.series.methods.ridge import MOST, Moments, Ridge, features
from jobs.selfsupervised.series.methods.simplest import Last, Linear, SeasonalNaive
from jobs.selfsupervised.series.scoring import scored
from jobs.selfsupervised.series.spec import PointScores
from jobs.selfsupervised.series.splitting import Split

#: Windows of the validation part that are looked at, evenly spread.
JUDGED = 20_000
#: Windows that are tried, in horizons and in seasons.
_HORIZONS, _SEASONS = (2.0, 3.5, 16 / 3), (2, 4)
#: Errors on the validation part are alike if they differ by no more: then the larger penalty is taken.
_ALIKE = 1e-3
#: Told what is done, and how much of it, 0 to 1.
Tell = Callable[[str, float], None]


def windows_to_try(split: Split, window: int | None) -> list[int]:
    """Numbers of rows to look back on, rising: the one that is given, or several that the rows allow.

    Raises:
        BadInput: the longest training part has no room for a window.
    """
    room = split.longest - split.horizon
    if window is not None:
        return [window] if room >= window else []
    wanted = {round(split.horizon * times) for times in _HORIZONS}
    wanted |= {split.panel.season * times for times in _SEASONS if split.panel.season > 1}
    # Half of the rows: else there are hardly any windows to learn from.
    fitting = sorted(rows for rows in wanted if 2 <= rows <= room / 2)
    return fitting or ([max(2, room // 2)] if room >= 2 else [])


def too_short(split: Split, name: str, window: int | None) -> BadInput:
    """What to say if there is no window to train on."""
    needs = split.horizon + (window or 2)
    return BadInput(
        f"there is nothing to learn from in {name!r}: forecasting {split.horizon} rows from {window or 2} "
        f"takes {needs} without too many missing, and its longest training part has {split.longest} (of "
        f"{int(split.panel.rows.lengths.max(initial=0))}, less those for validation and test); give more "
        "rows, or a smaller 'horizon' or 'window'"
    )


def best_ridge(
    split: Split, windows: list[int], judged: Origins, tell: Tell
) -> tuple[Ridge | None, dict[int, PointScores]]:
    """The ridge regression that is best on the validation part, and the scores of the best of each window.

    Raises:
        Stopped: `tell` did.
    """
    best: Ridge | None = None
    scores: dict[int, PointScores] = {}
    for window in windows:
        origins, _ = split.training(window)
        if not len(origins):
            continue
        some = origins.some(MOST)

        def go_on(done: int, window: int = window, count: int = len(some)) -> None:
            tell(f"ridge regression on windows of {window}", done / count)

        moments = Moments.of(some, window, split.horizon, go_on)
        found = moments.solved(window, split.horizon)
        found += moments.solved_by_age(window, split.horizon, split.panel.season)
        found_scores = _scores(found, judged)
        number = _largest(found_scores)
        scores[window] = found_scores[number]
        if best is None or scores[window].mse < scores[best.window].mse:
            best = found[number]
    return best, scores


def _largest(scores: list[PointScores]) -> int:
    """Of regressions in the order of their penalties, the last one that is as good as the best."""
    least = min(score.mse for score in scores)
    return max(number for number, score in enumerate(scores) if score.mse <= least * (1 + _ALIKE))


def _scores(ridges: list[Ridge], judged: Origins) -> list[PointScores]:
    """Of regressions on the same windows, which are read once: that takes longer than the products."""
    horizon = ridges[0].horizon
    sums, values = np.zeros((len(ridges), 2)), 0
    for part, block in judged.blocks():
        windows, truths = Windows.before(block, ridges[0].window), block.truths(horizon)
        there = ~np.isnan(truths) & ~np.isnan(windows.means)
        there[part.stop - part.start :] = False
        truths = np.where(there, truths, 0.0)
        inputs = features(windows, horizon)
        for number, ridge in enumerate(ridges):
            found = inputs @ ridge.weights + ridge.intercept
            errors = np.where(there, found * windows.deviations + windows.means - truths, 0.0)
            sums[number] += np.square(errors).sum(), np.abs(errors).sum()
        values += int(there.sum())
    return [PointScores(mse=float(square) / values, mae=float(size) / values) for square, size in sums]


def simplest(split: Split, window: int) -> list[Method]:
    """The methods that learn nothing."""
    season = split.panel.season
    return [
        SeasonalNaive("seasonal-naive", split.horizon, window, season=season),
        Linear("linear", split.horizon, window),
        Last("last", split.horizon, window),
    ]


def score_of(method: Method, origins: Origins) -> PointScores:
    """Mean squared and absolute error, of z-scores."""
    return scored(method.predict(origins, with_quantiles=False)[0], origins.truths(method.horizon))
