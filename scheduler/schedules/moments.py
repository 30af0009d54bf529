"""Times on a wall clock, and the moments that they stand for: the one place that knows of daylight saving."""

import time
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from jobs.errors import InvalidSpec

#: More than the clocks of any zone are put back at once.
LONGEST_REPEAT = timedelta(hours=3)
#: A job that is to begin later than so many years from now is a slip of the finger.
_YEARS_AHEAD = 10
_YEAR = 365.25 * 86400.0


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name in the tz database, such as `Europe/Berlin` or `UTC`.

    Raises:
        InvalidSpec: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a folder of zones, no name at all, or no such zone
        raise InvalidSpec(
            f"unknown time zone {name!r}: give one such as Europe/Berlin, America/New_York or UTC"
        ) from None


def checked_start(moment: float) -> float:
    """The moment, in seconds since 1970, if a job may be told to begin no earlier.

    Raises:
        InvalidSpec: it is later than ten years from now, or no number.
    """
    ahead = (moment - time.time()) / _YEAR
    if not ahead <= _YEARS_AHEAD:  # nor is NaN
        raise InvalidSpec(
            f"the job would begin {ahead:.4g} years from now; the latest start is {_YEARS_AHEAD} years "
            "from now"
        )
    return moment


def moment_of(wall: datetime, zone: tzinfo | None) -> float:
    """Seconds since 1970 of a time on the clocks of a zone; None is the zone of this machine.

    A time that the clocks skip is the end of the gap, and of one that they show twice it is the first.
    """
    # Not `astimezone`, which gives the time another offset if it is skipped on this machine's clocks.
    moment = datetime.fromtimestamp(wall.replace(tzinfo=zone, fold=0).timestamp(), UTC)
    gap = moment.astimezone(zone).replace(tzinfo=None) - wall
    if not gap:
        return moment.timestamp()
    # By the rule before the gap, so it lies as far after the change as the time lies within the gap.
    after = moment.astimezone(zone).utcoffset()
    low, high = int((moment - gap).timestamp()), int(moment.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, UTC).astimezone(zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return float(high)


def wall_time(moment: float, zone: tzinfo) -> datetime:
    """What the clocks of a zone show then, without the zone."""
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=None, fold=0)


def shown_twice(wall: datetime, zone: tzinfo) -> bool:
    """Whether the clocks of a zone show this time twice."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first < second
