"""Times as people write them, into microseconds since 1970."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from jobs.datasets.tables.calendar import (
    UNITS,
    USUAL_FORM,
    form_of,
    microseconds,
    offset_name,
    zone_of,
)
from jobs.datasets.tables.coded import Coded
from jobs.errors import BadInput

Array = np.ndarray[Any, Any]

_OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
#: What NumPy reads as ISO 8601 has it; it takes a date without hyphens for a year.
_PLAIN = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d(:\d\d(:\d\d(\.\d{1,6})?)?)?)?)?)?")
_MONTH = re.compile(r"\d{4}(-\d\d)?")
_SINCE_1970 = {"seconds": re.compile(r"\d{9,10}"), "milliseconds": re.compile(r"\d{12,13}")}
#: Names of a column of times, the likeliest first, where none is given.
USUAL_NAMES = ("time", "timestamp", "datetime", "date", "ds", "t", "hour", "day", "month", "year")


@dataclass(frozen=True)
class Moments:
    """The times of all rows.

    Attributes:
        wall: as the clock on the wall showed them, int64 (rows,), microseconds since 1970.
        utc: in UTC, likewise; equal to `wall` where no zone is known.
        zone: the zone's name or offset; empty if none is known.
        form: how they are written, as `Calendar.form` has it.
        offset: how their offset is written, as `Calendar.offset` has it.
        remark: what was guessed about them; empty if nothing was.
    """

    wall: Array
    utc: Array
    zone: str = ""
    form: str = USUAL_FORM
    offset: str = ""
    remark: str = ""


def moments_of(times: Coded, series: Array, pattern: str | None, zone: str | None, numbers: Array) -> Moments:
    """Reads times.

    Args:
        times: of each row.
        series: the number of each row's series, int64 (rows,).
        pattern: as `datetime.strptime` takes it; None for ISO 8601, or seconds or milliseconds since 1970.
        zone: where the clock is that showed them, if they carry no offset.
        numbers: that people give to the rows, int64 (rows,).

    Raises:
        BadInput: a text is no time; the sentence names its row.
    """
    codes = times.codes
    texts = [text.strip() for text in times.texts]
    # In the order of their first rows: the first one that is wrong is in the first such row.
    rows = numbers[np.unique(codes, return_index=True)[1]]
    if pattern is not None:
        found = [_by_pattern(text, pattern, row) for text, row in zip(texts, rows.tolist(), strict=True)]
        return _zoned(found, codes, series, zone, rows, pattern, "")
    for unit, written in _SINCE_1970.items():
        if all(written.fullmatch(text) for text in texts):
            wall = (np.array([int(text) for text in texts], np.int64) * UNITS[unit])[codes]
            return Moments(wall, wall, "UTC", unit, remark=f"times are {unit} since 1970, in UTC")
    form, offset = form_of(texts)
    if zone is None and all(_PLAIN.fullmatch(text) for text in texts):
        try:
            wall = np.array(texts, "datetime64[us]").astype(np.int64)[codes]
            return Moments(wall, wall, form=form)
        except ValueError:
            pass  # such as a thirteenth month: one by one, to name the row
    found = [_iso(text, row) for text, row in zip(texts, rows.tolist(), strict=True)]
    return _zoned(found, codes, series, zone, rows, form, offset)


def _zoned(
    moments: list[datetime],
    codes: Array,
    series: Array,
    zone: str | None,
    rows: Array,
    form: str,
    offset: str,
) -> Moments:
    wall = np.array([microseconds(moment.replace(tzinfo=None)) for moment in moments], np.int64)[codes]
    with_offset = [moment.tzinfo is not None for moment in moments]
    if all(with_offset):
        utc = np.array([microseconds(m.astimezone(UTC).replace(tzinfo=None)) for m in moments], np.int64)
        offsets = {offset_name(moment) for moment in moments}
        if zone is not None:
            zone_of(zone)
            return Moments(wall, utc[codes], zone, form, offset)
        name = offsets.pop() if len(offsets) == 1 else "UTC"
        remark = (
            "times have several offsets: they are written in UTC from here on, unless --timezone says where "
            "the clock is"
        )
        if offset == "Z" and name != "UTC":
            name = "UTC"
        return Moments(wall, utc[codes], name, form, offset, remark if offsets else "")
    if any(with_offset):
        row = rows[with_offset.index(not with_offset[0])]
        raise BadInput(f"row {row}: some times have an offset from UTC, and some have none")
    if zone is None:
        return Moments(wall, wall, form=form)
    return Moments(wall, _placed(moments, codes, series, zone, rows), zone, form)


def _placed(moments: list[datetime], codes: Array, series: Array, zone: str, rows: Array) -> Array:
    """From the wall clock to UTC: of an hour that comes twice in a series, the second one is later."""
    place = zone_of(zone)
    both = np.empty((len(moments), 2), np.int64)
    for number, moment in enumerate(moments):
        for fold in (0, 1):
            placed = moment.replace(tzinfo=place, fold=fold).astimezone(UTC)
            both[number, fold] = microseconds(placed.replace(tzinfo=None))
        if placed.astimezone(place).replace(tzinfo=None) != moment:
            raise BadInput(
                f"row {rows[number]}: there is no {moment} in {zone}: the clock was put forward over it"
            )
    utc: Array = both[codes, 0]
    twice = np.flatnonzero((both[:, 0] != both[:, 1])[codes])
    if len(twice):
        pairs = np.stack([series[twice], codes[twice]], axis=1)
        first = np.unique(pairs, axis=0, return_index=True)[1]
        later = np.delete(twice, first)
        utc[later] = both[codes[later], 1]
    return utc


def _by_pattern(text: str, pattern: str, row: int) -> datetime:
    try:
        return datetime.strptime(text, pattern)
    except ValueError:
        raise BadInput(f"row {row}: the time {text[:40]!r} is not of the form {pattern!r}") from None


def _iso(text: str, row: int) -> datetime:
    try:
        if _MONTH.fullmatch(text):
            return datetime.fromisoformat(f"{text}-01-01"[:10] if len(text) == 4 else f"{text}-01")
        return datetime.fromisoformat(text)
    except ValueError:
        raise _not_a_time(text, row) from None


def _not_a_time(text: str, row: int) -> BadInput:
    if not text:
        return BadInput(f"row {row} has no time")
    return BadInput(
        f"row {row}: {text[:40]!r} is not a time as ISO 8601 has it (2024-03-31 14:00); say how it is "
        "written, such as --time-format '%d.%m.%Y %H:%M'"
    )


def looks_like_times(texts: Sequence[str]) -> bool:
    """Whether each text is a time of ISO 8601, or seconds or milliseconds since 1970."""
    if any(all(written.fullmatch(text) for text in texts) for written in _SINCE_1970.values()):
        return True
    try:
        return all(_iso(text.strip(), 0) is not None for text in texts)
    except BadInput:
        return False
