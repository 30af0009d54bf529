"""Deleting: first the records say so, in one step with the check that nobody needs it; then the objects go.

What is being deleted stands in one hash in Redis until its last object is gone, so that whoever finds a
deletion that was broken off goes on with it (`finish`). Deleting twice, or by several at once, is harmless.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import cast

from scheduler.archive import Archive, day_of
from scheduler.artifacts import ArtifactStore, StoredObject
from scheduler.connection import PREFIX
from scheduler.errors import Refused, StillNeeded, UnknownDataSet, UnknownJob
from scheduler.keys import DataSetKeys, JobKeys, sort_of
from scheduler.models import Models
from scheduler.records import Records
from scheduler.references import References, set_target
from scheduler.scripts import Scripts
from scheduler.several import at_once, steps
from scheduler.states import What
from scheduler.tally import Tally

#: Objects that S3 removes in one request.
_AT_ONCE = 1000
#: Jobs that are deleted together.
STEP = 50

#: Sorts of objects (`keys.sort_of`) that go; of all of a job every sort.
_SORTS = {
    What.CHECKPOINTS: frozenset({"checkpoints", "shards"}),
    What.ARTIFACTS: frozenset({"checkpoints", "shards", "artifacts", "samples"}),
}


@dataclass(frozen=True)
class Freed:
    """What a deletion came to."""

    jobs: int = 0
    objects: int = 0
    bytes: int = 0

    def __add__(self, other: "Freed") -> "Freed":
        return Freed(self.jobs + other.jobs, self.objects + other.objects, self.bytes + other.bytes)


class Removal:
    """Deletes jobs and data sets."""

    def __init__(self, records: Records, store: ArtifactStore) -> None:
        self.redis, self._store = records.redis, store
        self._run = Scripts(records.redis).run
        self.references = References(records.redis)
        self.archive = Archive(store)

    def job(self, job_id: str, what: What = What.ALL, *, force: bool = False) -> Freed:
        """Deletes a job, or some of what it has left.

        Raises:
            UnknownJob: there is none.
            StillNeeded: it has not ended, or something refers to it.
        """
        self.prepare()
        self.mark(job_id, what, "all" if force else "")
        return self.finish(f"job/{job_id}", what)

    def prepare(self) -> None:
        """Makes sure that all that is referred to is known, before something is deleted."""
        self.references.complete()
        self.references.hold_models(Models(self._store).jobs())

    def mark(self, job_id: str, what: What, allowed: str) -> None:
        """Says in the records that it goes; see `lua/remove.lua`.

        Raises:
            UnknownJob: there is none.
            StillNeeded: it has not ended, or something refers to it.
        """
        answer, who = self._run("remove", job_id, what, allowed, 0)
        if answer == "UNKNOWN" and self.archive.get(job_id) is not None:
            answer, who = self._run("remove", job_id, what, allowed, 1)
        match answer:
            case "UNKNOWN":
                raise UnknownJob(f"there is no job {job_id!r}; `triptych jobs` lists them")
            case "PART":
                raise StillNeeded(f"{job_id} is a part of job {who}: delete that one")
            case "UNFINISHED":
                raise StillNeeded(f"job {job_id} is {who}: cancel it first, with `triptych cancel {job_id}`")
            case "HELD":
                raise StillNeeded(f"job {job_id} is needed by {_named(who)}")
            case "PARENT":
                raise StillNeeded(
                    f"job {who} was made from job {job_id}, and could not be made again: --force deletes it "
                    "nevertheless"
                )

    def data_set(self, name: str) -> Freed:
        """Deletes a data set, with all content that it has had.

        Raises:
            UnknownDataSet: there is none.
            StillNeeded: something refers to it.
        """
        self.prepare()
        keys, target = DataSetKeys(name), set_target(name)
        if next(self._store.under(keys.folder), None) is None:
            raise UnknownDataSet(
                f"there is no data set {name!r} of your own; `triptych datasets list` lists them"
            )
        answer, who = self._run("remove_set", name)
        if answer == "HELD":
            raise StillNeeded(f"the data set {name!r} is needed by {_named(who)}")
        return self.finish(target, What.ALL)

    def pending(self) -> dict[str, What]:
        """What is being deleted, now, by target."""
        found = cast("dict[str, str]", self.redis.hgetall(f"{PREFIX}deleting"))
        return {target: What(what) for target, what in found.items()}

    def finish_all(self) -> Freed:
        """Goes on with every deletion that was broken off."""
        pending, freed = self.pending(), Freed()
        for what in What:
            jobs = [name for name in self._jobs_among(pending) if pending[f"job/{name}"] is what]
            freed = sum((self.finish_jobs(some, what) for some in steps(jobs, STEP)), freed)
        sets = [target for target in pending if target.startswith("dataset/")]
        return sum((self.finish(target, pending[target]) for target in sets), freed)

    @staticmethod
    def _jobs_among(targets: Iterable[str]) -> list[str]:
        return [target.removeprefix("job/") for target in targets if target.startswith("job/")]

    def finish(self, target: str, what: What) -> Freed:
        """Removes the objects of what the records say is being deleted.

        Args:
            target: that.
            what: of it.
        """
        sort, _, name = target.partition("/")
        if sort != "dataset":
            return self.finish_jobs([name], what)
        keys = DataSetKeys(name)
        # The pointer first: whoever finds it finds the content there.
        freed = self.clear(
            [StoredObject(keys.current, 0)] if self._store.exists(keys.current) else [], "datasets"
        )
        freed += self.clear(self._store.under(keys.folder), "datasets")
        self._run("removed", target, what)
        return freed

    def finish_jobs(self, job_ids: Sequence[str], what: What, *, tidy: bool = True) -> Freed:
        """Removes the objects of jobs, a few at once, as the records say of each that this goes of it.

        Args:
            job_ids: the jobs.
            what: of each of them.
            tidy: whether the lines of those that are archived go as well; else the caller sees to it.
        """
        if not job_ids:
            return Freed()
        if what is not What.ALL:
            at_once(lambda job_id: self._note_in_archive(job_id, what), job_ids)
        objects = self._objects_of(job_ids, what)
        # The specs first: what has none was never accepted, and `triptych recover` does not run it again.
        specs = {JobKeys(job_id).spec for job_id in job_ids}
        freed = self.clear((item for item in objects if item.key in specs), what)
        freed += self.clear((item for item in objects if item.key not in specs), what)
        if what is What.ALL:
            self._leave_archive(job_ids, tidy)
        self._tell({f"freed|jobs|{what}": len(job_ids)})
        for job_id in job_ids:
            self._run("removed", f"job/{job_id}", what)
        return freed + Freed(jobs=len(job_ids))

    def _note_in_archive(self, job_id: str, what: What) -> None:
        kept = self.archive.get(job_id)
        if kept is not None:
            gone = "checkpoints,artifacts" if "artifacts" in (what, *kept.record.removed) else "checkpoints"
            self.archive.put(replace(kept, fields=kept.fields | {"removed": gone}))

    def _leave_archive(self, job_ids: Sequence[str], tidy: bool) -> None:
        days: dict[str, set[str]] = {}
        for job_id in job_ids if tidy else ():
            if (kept := self.archive.get(job_id)) is not None:
                days.setdefault(day_of(kept.record.created), set()).add(job_id)
        self.archive.forget(job_ids)
        for day, gone in days.items():
            self.archive.tidy(day, gone)

    def objects(self, keys: JobKeys, what: What) -> Iterator[StoredObject]:
        """The objects of a job that go."""
        for item in self._store.under(keys.folder):
            if what is What.ALL or sort_of(item.key) in _SORTS[what]:
                yield item

    def _objects_of(self, job_ids: Sequence[str], what: What) -> list[StoredObject]:
        found = at_once(lambda job_id: list(self.objects(JobKeys(job_id), what)), job_ids)
        return [item for items in found for item in items]

    def measured(self, job_ids: Sequence[str], what: What) -> Freed:
        """What deleting would come to."""
        sizes = [item.size for item in self._objects_of(job_ids, what)]
        return Freed(len(job_ids), len(sizes), sum(sizes))

    def clear(self, objects: Iterable[StoredObject], why: str) -> Freed:
        """Removes objects, and counts them."""
        left, freed = iter(objects), Freed()
        while some := list(islice(left, _AT_ONCE)):
            self._store.delete_all(item.key for item in some)
            count, size = len(some), sum(item.size for item in some)
            self._tell({f"freed|objects|{why}": count, f"freed|bytes|{why}": size})
            freed += Freed(0, count, size)
        return freed

    def _tell(self, counts: Mapping[str, int]) -> None:
        with suppress(Refused):  # a Redis that is full is what people delete for
            Tally(self.redis).add(counts)


def _named(holder: str) -> str:
    sort, name, *_ = holder.split("/")
    if sort == "job":
        return f"job {name}, which has not ended"
    return (
        f"the {sort} {name!r}"
        if sort != "model"
        else f"the model name {name!r}: --force deletes it nevertheless"
    )
