"""Jobs that ended long ago: their records are in the store alone, found by id, or by the day of submission.

The record of a job is one object, under the beginning of its id. Each day has a few objects with a line for
each of its jobs, which say where to look; a line without a record counts for nothing.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from secrets import token_hex
from typing import Any

from scheduler.artifacts import ArtifactStore
from scheduler.errors import UnknownArtifact
from scheduler.keys import ArchiveKeys
from scheduler.record import JobRecord
from scheduler.several import THREADS, at_once, steps
from scheduler.states import JobState

#: Objects of a day from which on they are put together.
_MOST = 8


@dataclass(frozen=True)
class Kept:
    """All that is known of an archived job.

    Attributes:
        fields: of its record, as Redis had them.
        attempts: that ended without ending the job.
        parts: fields of the records of its parts.
    """

    fields: dict[str, str]
    attempts: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, str]] = field(default_factory=list)

    @property
    def record(self) -> JobRecord:
        """The record, which says that it is archived."""
        return JobRecord.of(self.fields | {"archived": "1"})


@dataclass(frozen=True)
class Entry:
    """A line of a day."""

    id: str
    kind: str
    state: str
    created: float
    finished: float
    inputs: dict[str, str]

    @property
    def day(self) -> str:
        """The day that it stands under."""
        return day_of(self.created)


def day_of(seconds: float) -> str:
    """The day of a moment, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


class Archive:
    """The archive of one store."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    def put(self, kept: Kept) -> None:
        """Writes, or replaces, the record of a job."""
        data = {"fields": kept.fields, "attempts": kept.attempts, "parts": kept.parts}
        self._store.put_json(ArchiveKeys.record(kept.fields["id"]), data)

    def put_several(self, jobs: Sequence[Kept]) -> None:
        """The same for several jobs."""
        at_once(self.put, jobs)

    def add(self, jobs: Iterable[Kept]) -> None:
        """Enters jobs into their days, once their records are written."""
        days: dict[str, list[Entry]] = {}
        for kept in jobs:
            entry = _entry(kept)
            days.setdefault(entry.day, []).append(entry)
        for day, entries in days.items():
            self._write(day, entries)
            if len(self._objects(day)) > _MOST:
                self.tidy(day)

    def get(self, job_id: str) -> Kept | None:
        """All that is known of a job, or None: it is not archived."""
        try:
            return Kept(**self._store.get_json(ArchiveKeys.record(job_id)))
        except UnknownArtifact:
            return None

    def several(self, job_ids: Sequence[str]) -> list[Kept | None]:
        """The same of several jobs, in their order."""
        return at_once(self.get, job_ids)

    def missing(self, job_ids: Sequence[str]) -> set[str]:
        """Those of these jobs that are not archived."""
        found = zip(job_ids, self.several(job_ids), strict=True)
        return {job_id for job_id, kept in found if kept is None}

    def find(self, start: str) -> list[str]:
        """Ids that begin like this; three at most."""
        try:
            found = islice(self._store.under(ArchiveKeys.beginning(start)), 3)
            return [ArchiveKeys.id_in(item.key) for item in found]
        except UnknownArtifact:  # a new server, without a bucket
            return []

    def ids(self) -> set[str]:
        """Of all archived jobs."""
        try:
            return {ArchiveKeys.id_in(item.key) for item in self._store.under(ArchiveKeys.records)}
        except UnknownArtifact:
            return set()

    def days(self) -> Sequence[str]:
        """The days that have jobs, the newest first."""
        try:
            found = self._store.under(ArchiveKeys.days, recursive=False)
            return sorted({item.key.split("/")[2] for item in found}, reverse=True)
        except UnknownArtifact:
            return []

    def entries(self, day: str, state: str | None = None, kind: str | None = None) -> Sequence[Entry]:
        """The lines of a day, the newest first; perhaps of jobs that were deleted since."""
        # As they stand in a line: most of a day need not be parsed if a few are wanted.
        wanted = [
            f'"{name}": {json.dumps(value)}' for name, value in (("kind", kind), ("state", state)) if value
        ]
        found: dict[str, Entry] = {}
        for key in self._objects(day):
            try:
                lines = self._store.get(key).decode().splitlines()
            except UnknownArtifact:  # put together with others, which are read as well, or were
                continue
            chosen = (line for line in lines if all(text in line for text in wanted))
            found.update((entry.id, entry) for entry in (Entry(**json.loads(line)) for line in chosen))
        return sorted(found.values(), key=lambda entry: (entry.created, entry.id), reverse=True)

    def newest(
        self, since: float, until: float, state: JobState | None = None, kind: str | None = None
    ) -> Iterator[JobRecord]:
        """Jobs that were submitted in a stretch of time, the newest first."""
        first, last = day_of(since), day_of(until)
        days = [day for day in self.days() if first <= day <= last]
        for entries in self._growing(days, state, kind):
            wanted = [
                entry.id
                for entry in entries
                if since <= entry.created < until
                and state in (None, entry.state)
                and kind in (None, entry.kind)
            ]
            for some in steps(wanted, THREADS):
                yield from (kept.record for kept in self.several(some) if kept is not None)

    def _growing(self, days: Sequence[str], state: str | None, kind: str | None) -> Iterator[Sequence[Entry]]:
        """The lines of days: of one, then of two at once, and more the longer nobody has enough."""
        begin, some = 0, 1
        while begin < len(days):
            read = partial(self.entries, state=state, kind=kind)
            yield from at_once(read, days[begin : begin + some])
            begin, some = begin + some, min(2 * some, THREADS)

    def forget(self, job_ids: Iterable[str]) -> None:
        """Removes the records of jobs; their lines go with `tidy`."""
        self._store.delete_all(map(ArchiveKeys.record, job_ids))

    def tidy(self, day: str, gone: Collection[str] = ()) -> None:
        """Puts the objects of a day together, without the jobs that are gone."""
        # New lines before the old go: one that breaks off leaves some twice.
        objects, entries = self._objects(day), self.entries(day)
        if left := [entry for entry in entries if entry.id not in gone]:
            self._write(day, left)
        self._store.delete_all(objects)

    def _objects(self, day: str) -> list[str]:
        return [item.key for item in self._store.under(ArchiveKeys.day(day))]

    def _write(self, day: str, entries: Iterable[Entry]) -> None:
        lines = "".join(json.dumps(vars(entry), sort_keys=True) + "\n" for entry in entries)
        self._store.put(f"{ArchiveKeys.day(day)}{token_hex(8)}.jsonl", lines.encode(), "application/jsonl")


def _entry(kept: Kept) -> Entry:
    record = kept.record
    finished = record.finished or record.created
    return Entry(record.id, record.kind, record.state, record.created, finished, record.inputs)
