"""How a table writes its times: its zone, its form, its offset."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from jobs.errors import BadInput

Array = np.ndarray[Any, Any]

#: Of times that are numbers, the microseconds of one.
UNITS = {"seconds": 1_000_000, "milliseconds": 1_000}
USUAL_FORM = "%Y-%m-%d %H:%M:%S"
_ZERO = datetime(1970, 1, 1)
_EPOCH = _ZERO.replace(tzinfo=UTC)
_ISO = re.compile(
    r"\d{4}(?P<month>-\d\d)?(?P<day>-\d\d)?"
    r"((?P<between>[T ])(?P<hour>\d\d)(?P<minute>:\d\d)?(?P<second>:\d\d)?(?P<part>[.,]\d+)?)?"
    r"\s*(?P<offset>Z|[+-]\d\d:?\d\d)?"
)


@dataclass(frozen=True)
class Calendar:
    """How a table says when a row was.

    Attributes:
        column: the column of times.
        zone: the time zone's name, an offset such as `+02:00`, or empty: times are as they are written.
        form: as `datetime.strftime` takes it, or one of `UNITS`: a number since 1970.
        offset: how the offset from UTC follows: `Z`, `+00:00`, `+0000`, or empty if none does.
    """

    column: str
    zone: str = ""
    form: str = USUAL_FORM
    offset: str = ""

    def texts(self, times: Array) -> list[str]:
        """Times, int64 microseconds since 1970 (in UTC, if there is a zone), as the table writes them.

        Raises:
            BadInput: a time is after the year 9999.
        """
        distinct, places = np.unique(times, return_inverse=True)
        text = self._writer()
        texts = [text(time) for time in distinct.tolist()]
        return [texts[place] for place in places.tolist()]

    def suited(self, times: Array) -> "Calendar":
        """The same calendar if its form tells these times; else with the usual form."""
        if self.form in UNITS:
            whole = not (times % UNITS[self.form]).any()
            return self if whole else Calendar(self.column, self.zone)
        zone = zone_of(self.zone) if self.zone else UTC
        for time in times.tolist():
            moment = _moment(time).astimezone(zone)
            try:
                read = datetime.strptime(_formed(moment, self.form), self.form).replace(tzinfo=None)
            except ValueError:
                read = None
            if read != moment.replace(tzinfo=None):
                return Calendar(self.column, self.zone, USUAL_FORM, self.offset)
        return self

    def _writer(self) -> Callable[[int], str]:
        if self.form in UNITS:
            unit = UNITS[self.form]
            return lambda time: str(time // unit)
        zone = zone_of(self.zone) if self.zone else UTC

        def text(time: int) -> str:
            moment = _moment(time).astimezone(zone)
            written = _formed(moment, self.form)
            if moment.microsecond and "%S" in self.form and "%f" not in self.form:
                written = _formed(moment, self.form.replace("%S", "%S.%f"))
            if self.offset == "Z" and not moment.utcoffset():
                return f"{written}Z"
            name = offset_name(moment) if self.offset else ""
            return written + (name.replace(":", "") if self.offset == "+0000" else name)

        return text


def form_of(texts: list[str]) -> tuple[str, str]:
    """The form in which times of ISO 8601 are written, and how their offset follows."""
    found = _ISO.fullmatch(max(texts, key=len))
    if found is None:
        return USUAL_FORM, "+00:00" if re.search(r"(Z|[+-]\d\d:?\d\d)$", texts[0][10:]) else ""
    form = "%Y"
    for part, written in (("month", "-%m"), ("day", "-%d")):
        form += written if found[part] else ""
    if found["between"]:
        form += f"{found['between']}%H"
        for part, written in (("minute", ":%M"), ("second", ":%S"), ("part", ".%f")):
            form += written if found[part] else ""
    offset = found["offset"] or ""
    return form, "" if not offset else "Z" if offset == "Z" else "+00:00" if ":" in offset else "+0000"


def microseconds(moment: datetime) -> int:
    """Since 1970, of a time without a zone."""
    return (moment - _ZERO) // timedelta(microseconds=1)


def zone_of(name: str) -> tzinfo:
    """The time zone of a name (`Europe/Berlin`) or an offset (`+02:00`).

    Raises:
        BadInput: there is none.
    """
    if re.fullmatch(r"[+-]\d\d:\d\d", name):
        return datetime.fromisoformat(f"2000-01-01T00:00:00{name}").tzinfo or UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadInput(f"{name!r} is not a time zone: give a name such as Europe/Berlin, or UTC") from None


def offset_name(moment: datetime) -> str:
    """`+02:00`, the offset of a time that has one."""
    return timezone(moment.utcoffset() or timedelta()).tzname(None).removeprefix("UTC") or "+00:00"


def _moment(time: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=time)
    except OverflowError:
        raise BadInput("a time is before the year 1 or after the year 9999: take fewer rows") from None


def _formed(moment: datetime, form: str) -> str:
    # The year in four digits, which not every platform's strftime writes.
    return moment.strftime(form.replace("%Y", f"{moment.year:04d}"))
