"""What people type for a moment: `+90` (seconds from now) or `2026-07-01T02:30`."""

import math
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import typer

from scheduler.durations import seconds as length_of
from scheduler.schedules.moments import checked_start, moment_of, zone_of


@dataclass(frozen=True)
class Moment:
    """A moment, or seconds from now."""

    seconds: float
    from_now: bool = False

    def at(self, now: float) -> float:
        """In seconds since 1970, by the clock that says what is now."""
        return now + self.seconds if self.from_now else self.seconds


def moment(text: str, timezone: str | None = None) -> Moment:
    """The moment that a person means.

    A time without an offset is that of the zone, or of this machine's; one that its clocks skip is the end of
    the gap, and of one that they show twice it is the first.

    Raises:
        BadParameter: it is neither a count of seconds nor a moment in ISO 8601.
        InvalidSpec: there is no such zone, or the moment is later than ten years from now.
    """
    zone = zone_of(timezone) if timezone is not None else None
    refusal = typer.BadParameter(
        "--start-at takes +SECONDS from now, such as +90, or a moment in ISO 8601, such as "
        f"2026-07-01T02:30 or 2026-07-01T02:30+02:00; received {text!r}"
    )
    try:
        if text.startswith("+"):
            found = Moment(float(text), from_now=True)
        elif (given := datetime.fromisoformat(text)).tzinfo is not None:
            found = Moment(given.astimezone(UTC).timestamp())
        else:
            found = Moment(moment_of(given, zone))
    except (ValueError, OverflowError, OSError):
        raise refusal from None
    if not math.isfinite(found.seconds):
        raise refusal
    checked_start(found.at(time.time()))
    return found


def past(text: str | None, option: str) -> float | None:
    """A moment in the past: a month, a day or a time of this machine's, or a length of time before now.

    Raises:
        BadParameter: it is none of these.
    """
    if text is None:
        return None
    try:
        day = f"{text}-01" if re.fullmatch(r"\d{4}-\d{2}", text) else text
        return datetime.fromisoformat(day).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        pass
    try:
        return time.time() - length_of(text)
    except ValueError:
        raise typer.BadParameter(
            f"{option} takes a month, a day, a time, or how long ago, such as 2026-01, 2026-01-15, "
            f"2026-01-15T10:00 or 30d; received {text!r}"
        ) from None
