"""After how many rows a series repeats, and what stands in for its missing values."""

from typing import Any

import numpy as np

from jobs.datasets.tables.step import Step

Array = np.ndarray[Any, Any]

_MINUTE = 60_000_000
_DAY = 24 * 60 * _MINUTE
#: What is looked for, in microseconds: an hour, a day, a week, a year.
_PERIODS = (60 * _MINUTE, _DAY, 7 * _DAY, round(365.25 * _DAY))
#: Series that are looked at, evenly spread, and rows of each.
_SERIES, _ROWS = 200, 20_000


def candidates(step: Step) -> list[int]:
    """Numbers of rows that clocks and calendars make likely, rising; 1 is none."""
    if step.months:
        return [1, *([12 // step.months] if 12 % step.months == 0 and step.months < 12 else [])]
    found = {round(period / step.microseconds) for period in _PERIODS if period >= 2 * step.microseconds}
    return [1, *sorted(found)]


def season_of(values: Array, starts: Array, ends: Array, step: Step, horizon: int) -> int:
    """The season whose repetition is nearest to what came.

    Args:
        values: float64 (places,), NaN where one is missing.
        starts: int64 (channels,).
        ends: int64 (channels,), the place after the last one that may be known.
        step: from row to row.
        horizon: rows to forecast.
    """
    long = np.flatnonzero(ends - starts >= 3)
    long = long[np.unique(np.linspace(0, max(len(long) - 1, 0), min(_SERIES, len(long))).astype(np.int64))]
    errors: dict[int, float] = {}
    for season in candidates(step):
        lags = [season * number for number in range(1, -(-horizon // season) + 1)][
            :: max(1, horizon // season // 8)
        ]
        found = []
        for channel in long.tolist():
            part = values[max(starts[channel], ends[channel] - _ROWS) : ends[channel]]
            if len(part) >= 2 * season + 1:
                found += [np.abs(part[lag:] - part[:-lag]) for lag in lags if lag < len(part)]
        apart = np.concatenate(found) if found else np.zeros(0)
        if not np.isnan(apart).all():
            errors[season] = float(np.nanmean(apart))
    return min(errors, key=lambda season: (errors[season], season)) if errors else 1


def filled(values: Array, season: int) -> Array:
    """A channel with each missing value that of the season before, or else the last one before.

    What is before all values stays missing: nothing later has a part in it.
    """
    count = len(values)
    grid = np.full((-(-count // season), season), np.nan)
    grid.reshape(-1)[:count] = values
    there = ~np.isnan(grid)
    newest = np.maximum.accumulate(np.where(there, np.arange(len(grid))[:, np.newaxis], 0), axis=0)
    found = np.take_along_axis(grid, newest, axis=0).reshape(-1)[:count]
    there = ~np.isnan(found)
    newest = np.maximum.accumulate(np.where(there, np.arange(count), 0))
    return np.asarray(found[newest])
