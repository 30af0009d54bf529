"""Jobs of a stretch of time, from Redis and from the archive."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from scheduler.archive import Archive
from scheduler.record import JobRecord
from scheduler.records import Records
from scheduler.states import JobState

#: Records that are read at once.
_PAGE = 200
#: The end of the year 9999, the last that a day can be written of.
_LAST = 253_402_300_799.0


@dataclass(frozen=True)
class Span:
    """A stretch of time: seconds since 1970, the second not included."""

    since: float = 0.0
    until: float = math.inf


def newest(
    records: Records, archive: Archive, span: Span, state: JobState | None, kind: str | None, limit: int
) -> list[JobRecord]:
    """Records by time of submission, state and kind, the newest first."""
    since, until = (min(max(each, 0.0), _LAST) for each in (span.since, span.until))
    found = merge(
        _in_redis(records, Span(since, until), state, kind),
        archive.newest(since, until, state, kind),
        key=lambda record: -record.created,
    )
    # One that is being archived is in both.
    return list(islice(_once(found), limit))


def _in_redis(records: Records, span: Span, state: JobState | None, kind: str | None) -> Iterator[JobRecord]:
    first = 0
    while page := records.newest(state, kind, _PAGE, first):
        for record in page:
            if record.created < span.since:
                return
            if record.created < span.until:
                yield record
        first += _PAGE


def _once(found: Iterator[JobRecord]) -> Iterator[JobRecord]:
    seen = set()
    for record in found:
        if record.id not in seen:
            seen.add(record.id)
            yield record
