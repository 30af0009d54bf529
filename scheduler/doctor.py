"""`triptych doctor`: walks the whole bucket and all of Redis, and says what belongs to what."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, cast

from scheduler.archive import Archive
from scheduler.artifacts import ArtifactStore, StoredObject
from scheduler.connection import PREFIX
from scheduler.keys import JobKeys, sort_of
from scheduler.records import Records
from scheduler.removal import Removal
from scheduler.states import JobState
from scheduler.workers import Workers

#: Seconds in which what is being written need not have an owner yet.
GRACE = 3600.0
#: Records asked for in one step.
_STEP = 500
#: Keys in Redis that each belong to one job.
_OF_JOBS = ("job:", "attempts:", "parts_of:", "waits:", "children:")


@dataclass
class Total:
    """Objects of one sort."""

    objects: int = 0
    bytes: int = 0

    def add(self, item: StoredObject) -> None:
        """One more."""
        self.objects += 1
        self.bytes += item.size


@dataclass(frozen=True)
class Cache:
    """The cache on the disk of a live worker, in bytes."""

    worker: str
    bytes: int
    limit: int


@dataclass
class Findings:
    """What a walk has found.

    Attributes:
        sorts: objects and bytes, by sort.
        kinds: objects and bytes of jobs, by kind of job.
        jobs: how many there are, by state.
        references: how many there are, by the sort of what refers and of what it refers to: `job > dataset`.
        holders: schedules, sweeps and models' names, with the jobs and data sets that each refers to.
        missing: what should be in the store and is not, in sentences.
        unknown: jobs that the store has and Redis has lost: `triptych recover` enters them.
        left: objects that nothing refers to, by reason.
        stray: keys in Redis that belong to no job.
        stale: days of the archive with lines of jobs that there are not.
        pending: deletions that are under way, or were broken off.
        caches: of the live workers.
    """

    sorts: dict[str, Total] = field(default_factory=dict)
    kinds: dict[str, Total] = field(default_factory=dict)
    jobs: dict[str, int] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)
    holders: dict[str, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    left: dict[str, list[StoredObject]] = field(default_factory=dict)
    stray: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    caches: list[Cache] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether everything has an owner, and every owner everything."""
        return not (self.missing or self.unknown or self.left or self.stray or self.stale)


@dataclass(frozen=True)
class _Known:
    """What Redis, or the archive, says of a job."""

    kind: str
    state: str
    removed: str
    inputs: dict[str, str]


class Doctor:
    """Looks at everything, and changes nothing."""

    def __init__(self, records: Records, store: ArtifactStore, grace: float = GRACE) -> None:
        self._records, self._redis, self._store = records, records.redis, store
        self._grace, self._archive = grace, Archive(store)
        self._pending = Removal(records, store).pending
        self._jobs: dict[str, _Known] = {}
        self._pins: dict[str, set[str]] = {}  #: digests of data sets that jobs have used, by name
        self.findings = Findings()

    def look(self) -> Findings:
        """Walks through Redis, then through the bucket."""
        self._references()
        living = Workers(self._redis).living()
        self.findings.caches = [Cache(each.name, each.about.cache, each.about.cache_limit) for each in living]
        self._jobs = dict(self._known())
        self.findings.jobs = dict(Counter(job.state for job in self._jobs.values()))
        archived = dict(self._archived())
        self.findings.jobs |= {"archived": len(archived)} if archived else {}
        self._jobs = archived | self._jobs
        for job in self._jobs.values():
            for name, digest in job.inputs.items():
                self._pins.setdefault(name, set()).add(digest)
        seen = set()
        for job_id, items in self._folders("jobs/"):
            seen.add(job_id)
            self._job(job_id, items)
        for job_id in self._jobs.keys() - seen:
            self._missing_job(job_id)
        for name, items in self._folders("datasets/"):
            self._data_set(name, items)
        for top in list(self._store.under("", recursive=False)):
            if top.key not in ("jobs/", "datasets/"):
                for item in self._store.under(top.key):
                    self._count(item)
        self.findings.pending += sorted(self._pending())
        self.findings.stray += sorted(self._stray())
        return self.findings

    def _known(self) -> Iterator[tuple[str, _Known]]:
        ids = cast("list[str]", self._redis.zrange(f"{PREFIX}ids", 0, -1))
        for first in range(0, len(ids), _STEP):
            some = ids[first : first + _STEP]
            pipeline = self._redis.pipeline(transaction=False)
            for job_id in some:
                pipeline.hmget(f"{PREFIX}job:{job_id}", "kind", "state", "removed", "inputs")
            for job_id, (kind, state, removed, inputs) in zip(some, pipeline.execute(), strict=True):
                if state:
                    yield job_id, _Known(kind, state, removed or "", json.loads(inputs or "{}"))

    def _archived(self) -> Iterator[tuple[str, _Known]]:
        ids, seen = self._archive.ids(), set()
        for day in self._archive.days():
            for entry in self._archive.entries(day):
                seen.add(entry.id)
                if entry.id in ids:
                    yield entry.id, _Known(entry.kind, entry.state, "", entry.inputs)
                elif self._archive.get(entry.id) is None and day not in self.findings.stale:
                    self.findings.stale.append(day)
        for job_id in ids - seen - self._jobs.keys():
            if (kept := self._archive.get(job_id)) is not None:
                self.findings.missing.append(f"the archived job {job_id} is missing in the list of its day")
                record = kept.record
                yield job_id, _Known(record.kind, record.state, "", record.inputs)

    def _folders(self, folder: str) -> Iterator[tuple[str, list[StoredObject]]]:
        found = groupby(self._store.under(folder), key=lambda item: item.key.split("/")[1])
        for name, items in found:
            kept = list(items)
            for item in kept:
                self._count(item)
            yield name, kept

    def _count(self, item: StoredObject) -> None:
        self.findings.sorts.setdefault(sort_of(item.key), Total()).add(item)

    def _job(self, job_id: str, items: Sequence[StoredObject]) -> None:
        keys, names = JobKeys(job_id), {item.key for item in items}
        known = self._jobs.get(job_id)
        if known is None:
            self._stranger(job_id, items, keys.spec in names)
            return
        of_kind = self.findings.kinds.setdefault(known.kind, Total())
        for item in items:
            of_kind.add(item)
        if keys.spec not in names:
            self._missing_job(job_id)
        if known.state == JobState.SUCCEEDED and keys.result not in names:
            self._missing(job_id, f"job {job_id} has succeeded, and {keys.result} is missing")
        gone = set(known.removed.split(",")) & {"checkpoints", "artifacts"}
        late = gone | ({"samples"} if "artifacts" in gone else set())
        late |= {"shards"} if gone or known.state == JobState.SUCCEEDED else set()
        self._left(
            "pieces of jobs that were joined or deleted",
            # The report is made again by whoever asks for it.
            (item for item in items if sort_of(item.key) in late and not item.key.endswith("/report.html")),
        )

    def _stranger(self, job_id: str, items: Sequence[StoredObject], has_spec: bool) -> None:
        """A folder of a job that Redis did not know at the beginning of the walk."""
        pending = f"job/{job_id}" in self._pending()
        if pending or self._records.knows(job_id) or self._archive.get(job_id) is not None:
            return
        if not has_spec:
            self._left("objects of jobs that there are not", items)
        elif self._is_old(items):
            self.findings.unknown.append(job_id)

    def _missing_job(self, job_id: str) -> None:
        self._missing(job_id, f"job {job_id} has a record, and {JobKeys(job_id).spec} is missing")

    def _missing(self, job_id: str, what: str) -> None:
        # Looked at again: it may have been deleted during the walk.
        is_there = self._records.knows(job_id) or self._archive.get(job_id) is not None
        if is_there and what not in self.findings.missing:
            self.findings.missing.append(what)

    def _data_set(self, name: str, items: Sequence[StoredObject]) -> None:
        pins = self._pins.get(name, set())
        current = f"datasets/{name}/current.json"
        stands = self._store.get_json(current)["digest"] if any(i.key == current for i in items) else ""
        contents: dict[str, list[StoredObject]] = defaultdict(list)
        for item in items:
            if item.key != current:
                contents[item.key.rpartition("/")[2].partition(".")[0]].append(item)
        if stands and all(item.key.endswith(".json") for item in contents[stands]):
            self.findings.missing.append(f"the data set {name!r} has lost its content {stands[:12]}")
        for digest, found in contents.items():
            if digest != stands and digest not in pins:
                self._left("content of data sets that no name and no job refers to", found)

    def _left(self, why: str, items: Iterable[StoredObject]) -> None:
        if old := [item for item in items if self._is_old([item])]:
            self.findings.left.setdefault(why, []).extend(old)

    def _is_old(self, items: Iterable[StoredObject]) -> bool:
        newest = max((item.modified for item in items), default=0.0)
        return time.time() - newest >= self._grace

    def _references(self) -> None:
        counted: Counter[str] = Counter()
        for key in self._scan("uses:"):
            target = key.removeprefix(f"{PREFIX}uses:")
            for user in cast("set[str]", self._redis.smembers(key)):
                # An id of a job, or a name with its sort before it.
                sort = user.partition("/")[0] if "/" in user else "job"
                counted[f"{sort} > {target.partition('/')[0]}"] += 1
                if sort != "job":
                    self.findings.holders.setdefault(user, []).append(target)
        self.findings.references = dict(sorted(counted.items()))

    def _stray(self) -> Iterator[str]:
        for prefix in _OF_JOBS:
            for key in self._scan(prefix):
                # A part belongs to the whole.
                owner = key.removeprefix(f"{PREFIX}{prefix}").partition(".part")[0]
                if owner not in self._jobs and not self._listed(owner):
                    yield key

    def _listed(self, job_id: str) -> bool:
        return self._redis.zscore(f"{PREFIX}all", job_id) is not None

    def _scan(self, prefix: str) -> Iterator[str]:
        found: Any = self._redis.scan_iter(match=f"{PREFIX}{prefix}*", count=1000)
        return iter(dict.fromkeys(found))
