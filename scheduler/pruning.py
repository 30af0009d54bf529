"""Deleting what is older than one wishes: `triptych prune`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import cast

from jobs import catalog
from jobs.errors import InvalidSpec
from scheduler.archive import Entry, day_of
from scheduler.connection import PREFIX
from scheduler.errors import StillNeeded, UnknownJob
from scheduler.references import job_target
from scheduler.removal import STEP, Freed, Removal
from scheduler.several import steps
from scheduler.states import JobState, What


@dataclass(frozen=True)
class Choice:
    """Which jobs to prune, and what of them.

    Attributes:
        older_than: seconds since their end.
        kind: only of this kind.
        state: only in this state.
        what: of them is deleted.
    """

    older_than: float
    kind: str | None = None
    state: JobState | None = None
    what: What = What.ALL


@dataclass(frozen=True)
class Pruned:
    """What pruning came to, or would come to.

    Attributes:
        freed: jobs, objects and bytes that are gone.
        kept: jobs that stay, since something needs them.
        seen: jobs looked at.
        of: jobs that ended so long ago.
    """

    freed: Freed = field(default_factory=Freed)
    kept: int = 0
    seen: int = 0
    of: int = 0


def checked_state(state: JobState | str | None) -> JobState | None:
    """A state by its name.

    Raises:
        InvalidSpec: there is none.
    """
    if state is not None and state not in list(JobState):
        raise InvalidSpec(f"unknown state {state!r}: the states are {', '.join(JobState)}")
    return JobState(state) if state else None


def checked_what(what: What | str) -> What:
    """What of a job is to be deleted.

    Raises:
        InvalidSpec: it is nothing that can be.
    """
    if what not in list(What):
        raise InvalidSpec(f"what to delete is {what!r}; allowed are {', '.join(What)}")
    return What(what)


class Pruning:
    """One run of it.

    Args:
        removal: deletes.
        choice: of what.
        dry_run: whether nothing is deleted.

    Raises:
        InvalidSpec: there is no such kind, or jobs in this state have not ended.
    """

    def __init__(self, removal: Removal, choice: Choice, dry_run: bool = False) -> None:
        if choice.kind is not None:
            catalog.spec_type(choice.kind)
        if choice.state is not None and not choice.state.final:
            raise InvalidSpec(
                f"jobs that are {choice.state} have not ended: only those that have can be pruned"
            )
        self._removal, self._choice, self._dry_run = removal, choice, dry_run
        self._redis = removal.redis

    def run(self, progress: Callable[[Pruned], None] = lambda _: None) -> Pruned:
        """Prunes, the jobs that ended first before the others."""
        self._removal.prepare()
        done = Pruned()
        if not self._dry_run:
            done = replace(done, freed=self._removal.finish_all())
        for job_ids, total in chain(self._archived(), self._due()):
            seen = done.seen + len(job_ids)
            done = replace(self._some(job_ids, done), seen=seen, of=max(total, seen))
            progress(done)
        return done

    def archived(self, after: str) -> Pruned:
        """Prunes the archived jobs that were submitted after a day."""
        done = Pruned()
        for job_ids, _ in self._archived(after):
            done = replace(self._some(job_ids, done), seen=done.seen + len(job_ids))
        return done

    def _some(self, job_ids: Sequence[str], done: Pruned) -> Pruned:
        what = self._choice.what
        if self._dry_run:
            free = [each for each in job_ids if self._removal.references.holder(job_target(each)) is None]
            done = replace(done, kept=done.kept + len(job_ids) - len(free))
            return replace(done, freed=done.freed + self._removal.measured(free, what))
        marked: list[str] = []
        for job_id in job_ids:
            try:
                self._removal.mark(job_id, what, "parents")
                marked.append(job_id)
            except StillNeeded:
                done = replace(done, kept=done.kept + 1)
            except UnknownJob:  # another one deletes as well
                continue
        return replace(done, freed=done.freed + self._removal.finish_jobs(marked, what, tidy=False))

    def _archived(self, after: str = "") -> Iterator[tuple[Sequence[str], int]]:
        """Jobs in the archive, likewise, day by day."""
        archive, last = self._removal.archive, self._last()
        days = [day for day in reversed(archive.days()) if after < day <= day_of(last)]
        for day in days:
            entries = archive.entries(day)
            wanted = [
                each.id for each in reversed(entries) if each.finished <= last and self._is_of_sort(each)
            ]
            for some in steps(wanted, STEP):
                yield some if self._choice.what is What.ALL else self._with_it(some), 0
            if self._choice.what is What.ALL and not self._dry_run and (gone := archive.missing(wanted)):
                archive.tidy(day, gone)

    def _is_of_sort(self, entry: Entry) -> bool:
        return self._choice.kind in (None, entry.kind) and self._choice.state in (None, entry.state)

    def _with_it(self, job_ids: Sequence[str]) -> list[str]:
        """Those that still have what is to go."""
        found = zip(job_ids, self._removal.archive.several(job_ids), strict=True)
        return [job_id for job_id, kept in found if kept and self._choice.what not in kept.record.removed]

    def _last(self) -> float:
        seconds, microseconds = self._redis.time()
        return float(seconds) + float(microseconds) / 1e6 - self._choice.older_than

    def _due(self) -> Iterator[tuple[Sequence[str], int]]:
        """Jobs that ended long enough ago and are of the sort that is wanted; how many may be."""
        last, ended = self._last(), f"{PREFIX}ended"
        # All ids at once: those that are deleted meanwhile would move the others from page to page.
        ids = cast("list[str]", self._redis.zrangebyscore(ended, "-inf", last))
        for some in steps(ids, STEP):
            pipeline = self._redis.pipeline(transaction=False)
            for job_id in some:
                pipeline.hmget(f"{PREFIX}job:{job_id}", "kind", "state", "removed")
            found = zip(some, pipeline.execute(), strict=True)
            yield [job_id for job_id, fields in found if self._wanted(*fields)], len(ids)

    def _wanted(self, kind: str | None, state: str | None, removed: str | None) -> bool:
        choice = self._choice
        return (
            state is not None
            and choice.kind in (None, kind)
            and choice.state in (None, state)
            and choice.what not in (removed or "").split(",")
        )
