"""Where in the day, the week and the year a place is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from jobs.datasets.tables.calendar import zone_of
from jobs.selfsupervised.series.methods.method import Origins

Array = np.ndarray[Any, Any]

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
#: Microseconds of a day, of a week (which begins on a Thursday, as 1970 did) and of a mean year.
_LENGTHS = np.array([_DAY, 7 * _DAY, 365.2425 * _DAY])
PERIODS = len(_LENGTHS)
#: Sines and cosines of each: once, twice, three and four times as fast.
HARMONICS = 4


def phases(origins: Origins) -> Array:
    """By the clock on the wall, float64 (count, `PERIODS`), 0 to 1; 0 for what is no longer than a step."""
    times = origins.panel.times(origins.places, origins.channels)
    zone = origins.panel.table.calendar.zone
    if zone:
        times = times + _offsets(times, zone)
    step = origins.panel.table.step
    length = step.microseconds or step.months * 30 * _DAY
    found = (times[:, np.newaxis] % _LENGTHS) / _LENGTHS
    return np.asarray(np.where(length < _LENGTHS, found, 0.0))


def _offsets(times: Array, name: str) -> Array:
    """What the clock is ahead of UTC, int64 microseconds."""
    zone = zone_of(name)
    hours, places = np.unique(times // _HOUR, return_inverse=True)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    found = [
        ((epoch + timedelta(hours=hour)).astimezone(zone).utcoffset() or timedelta())
        // timedelta(microseconds=1)
        for hour in hours.tolist()
    ]
    return np.array(found, np.int64)[places]
