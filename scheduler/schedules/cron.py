"""The moments that a cron expression names."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError

from jobs.errors import InvalidSpec
from scheduler.schedules.moments import LONGEST_REPEAT, moment_of, shown_twice, wall_time, zone_of

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LONGEST = 200
_FORM = (
    "give five fields in quotes, minute, hour, day of the month, month and day of the week, such as "
    "'0 2 * * *', six with seconds first, or one of " + ", ".join(_NAMED)
)
#: Where the search for a first moment begins, when an expression is checked: any will do.
_CHECKED_FROM = datetime(2024, 1, 1)


class Cron:
    """A cron expression on the clocks of a time zone. Moments are whole seconds since 1970.

    One that names hours means what the clocks show: a time that they skip comes when the gap ends, and one
    that they show twice comes once. One for every hour comes in each hour that passes.

    Raises:
        InvalidSpec: it is no such expression, names no day that ever comes, or there is no such zone.
    """

    def __init__(self, text: str, timezone: str) -> None:
        self._zone = zone_of(timezone)
        self._text = _NAMED.get(text.strip().lower(), text)
        fields = self._text.split()
        try:
            if len(text) > _LONGEST:
                raise CronSimError("too long")
            parsed = CronSim(self._text, _CHECKED_FROM)
            next(parsed)
        except StopIteration:
            raise InvalidSpec(f"the schedule {text!r} names no day that ever comes") from None
        except (CronSimError, ValueError, TypeError, AssertionError) as error:
            # The library asserts where it might say what is wrong.
            why = str(error).lower() or "not understood"
            raise InvalidSpec(
                f"the schedule {text[:_LONGEST]!r} is no cron expression ({why}): {_FORM}"
            ) from None
        self._every_hour = parsed.hours == set(range(24))
        if self._every_hour:
            # Written as the library expects it of what simply goes on when clocks change.
            self._text = " ".join([*fields[:-4], "*", *fields[-3:]])

    def after(self, moment: float) -> int | None:
        """The first one later than a moment; None if there is none in the next 50 years."""
        return next(self._following(moment), None)

    def following(self, moment: float, count: int) -> list[int]:
        """The first few that are later than a moment."""
        found: list[int] = []
        while len(found) < count and (tick := self.after(found[-1] if found else moment)) is not None:
            found.append(tick)
        return found

    def latest(self, moment: float) -> int | None:
        """The last one that is not later than a moment; None if there is none in the 50 years before."""
        if self._every_hour:
            start = datetime.fromtimestamp(int(moment) + 1, self._zone)
            return next((int(tick.timestamp()) for tick in CronSim(self._text, start, reverse=True)), None)
        wall = wall_time(int(moment), self._zone)
        # The second time that clocks show something, more of it lies before than what they show then.
        start = wall + LONGEST_REPEAT if shown_twice(wall, self._zone) else wall + timedelta(seconds=1)
        ticks = (self._moment(tick) for tick in CronSim(self._text, start, reverse=True))
        return next((tick for tick in ticks if tick <= moment), None)

    def _following(self, moment: float) -> Iterator[int]:
        if self._every_hour:
            start = datetime.fromtimestamp(int(moment), self._zone)
            yield from (int(tick.timestamp()) for tick in CronSim(self._text, start))
        else:
            ticks = (self._moment(tick) for tick in CronSim(self._text, wall_time(int(moment), self._zone)))
            yield from (tick for tick in ticks if tick > moment)

    def _moment(self, wall: datetime) -> int:
        return int(moment_of(wall, self._zone))
