"""The window of ridge regression and its penalty, by the validation part, and the simplest methods."""

from collections.abc import Callable

import numpy as np

from jobs.errors import BadInput
from jobs.selfsupervised.series.methods.method import Method, Origins, Windows
from jobs.selfsupervised.series.methods.ridge import MOST, PENALTIES, Moments, Ridge, features
from jobs.selfsupervised.series.methods.simplest import Last, Linear, SeasonalNaive
from jobs.selfsupervised.series.scoring import scored
from jobs.selfsupervised.series.spec import PointScores
from jobs.selfsupervised.series.splitting import Split

#: Windows of the validation part that are looked at, evenly spread.
JUDGED = 20_000
#: Windows that are tried, in horizons and in seasons.
_HORIZONS, _SEASONS = (2.0, 3.5, 16 / 3), (2, 4)
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

        found = Moments.of(some, window, split.horizon, go_on).solved(window, split.horizon, PENALTIES)
        for ridge, score in zip(found, _scores(found, judged), strict=True):
            if window not in scores or score.mse < scores[window].mse:
                scores[window] = score
                if best is None or score.mse < scores[best.window].mse or best.window == window:
                    best = ridge
    return best, scores


def _scores(ridges: list[Ridge], judged: Origins) -> list[PointScores]:
    """Of regressions on the same windows, which are read once: that takes longer than the products."""
    horizon, truths = ridges[0].horizon, judged.truths(ridges[0].horizon)
    points = np.empty((len(ridges), len(judged), horizon))
    for part, block in judged.blocks():
        windows = Windows.before(block, ridges[0].window)
        inputs, count = features(windows, horizon), part.stop - part.start
        for number, ridge in enumerate(ridges):
            found = inputs @ ridge.weights + ridge.intercept
            points[number, part] = (found * windows.deviations + windows.means)[:count]
    return [scored(each, truths) for each in points]


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
