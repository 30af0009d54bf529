"""What the scheduler deletes by itself, by the settings: a few jobs at a time, the oldest first."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from secrets import token_hex
from threading import Event
from typing import cast

from redis.exceptions import RedisError

from jobs.errors import TriptychError
from scheduler.archive import day_of
from scheduler.archiving import Archiving
from scheduler.artifacts import ArtifactStore
from scheduler.connection import PREFIX
from scheduler.durations import seconds_kept
from scheduler.errors import StillNeeded, UnknownJob
from scheduler.leftovers import remove_leftovers
from scheduler.pruning import Choice, Pruning
from scheduler.records import Records
from scheduler.removal import Removal
from scheduler.settings import RetentionSettings
from scheduler.states import JobState, What

logger = logging.getLogger(__name__)

#: Jobs looked at in one step.
_STEP = 50
#: Seconds between two steps while there is something to do, and otherwise.
_BUSY, _IDLE = 0.5, 30.0
_DAY = 24 * 3600
_HOUR, _WEEK, _MONTH = 3600.0, 7.0 * _DAY, 30.0 * _DAY
#: Seconds between two looks at which jobs models' names stand for.
_PREPARE = 600.0
#: Seconds for which one scheduler has the work; a step takes a few.
_HELD = 120
_CLEANED = f"{PREFIX}cleaned"
_CLEANER = f"{PREFIX}cleaner"


class Retention:
    """Applies the rules, one step after the other. Several may run; one works."""

    def __init__(self, records: Records, store: ArtifactStore, settings: RetentionSettings) -> None:
        self._records, self._redis, self._store = records, records.redis, store
        self._removal = Removal(records, store)
        self._rules = {
            What.CHECKPOINTS: seconds_kept(settings.keep_checkpoints),
            What.ARTIFACTS: seconds_kept(settings.keep_artifacts),
        }
        self._archiving = Archiving(records, self._removal.archive)
        self._records_kept = seconds_kept(settings.keep_records)
        self._archived_at = -math.inf  #: when a step archived what was due, however little
        self._token = token_hex(8)
        self._prepared = -math.inf
        self._looked_at: dict[str, int] = {}  #: of those that were passed over, in this round of steps

    def run(self, stop: Event) -> None:
        """Does a step after the other until told to stop."""
        pause = _BUSY
        while not stop.wait(pause):
            pause = _IDLE
            try:
                if self._has_the_work() and self.step():
                    pause = _BUSY
            except (TriptychError, RedisError, OSError) as error:
                logger.warning("the clean-up goes on later: %s", error)

    def step(self) -> bool:
        """Does a little of what is due; False if nothing was."""
        if time.monotonic() - self._prepared > _PREPARE:
            self._removal.prepare()
            self._prepared = time.monotonic()
        freed = self._removal.finish_all()
        if freed.objects:
            logger.info("went on with deletions that were broken off: %d objects", freed.objects)
        self._walk()
        done = [
            self._apply(what, kept, partial(self._delete, what=what))
            for what, kept in self._rules.items()
            if kept is not None
        ]
        if self._records_kept is not None:
            done.append(self._apply("records", self._records_kept, self._archive))
        return any(done)

    def _walk(self) -> None:
        """Once a day, removes what nothing refers to, and cached objects of more than a month."""
        now = int(self._redis.time()[0])
        last = self._redis.hget(_CLEANED, "walk")
        if last is None or now - int(cast("str", last)) >= _DAY:
            # Before it, so that one that fails is not begun again at once; and not at the very first start.
            self._redis.hset(_CLEANED, "walk", now)
        if last is not None and now - int(cast("str", last)) >= _DAY:
            left = remove_leftovers(self._records, self._store, _MONTH)
            logger.info("removed %d objects that nothing referred to", left.freed.objects)
            for what, kept in self._rules.items():
                if kept is not None:
                    self._apply_to_archive(what, kept, now)

    def _apply_to_archive(self, what: What, kept: float, now: int) -> None:
        """Those that were archived before the rule was due for them, a day after the other."""
        name, last = f"archive:{what}", day_of(max(now - kept - _WEEK, 0))
        done = cast("str | None", self._redis.hget(_CLEANED, name))
        state = JobState.SUCCEEDED if what is What.CHECKPOINTS else None
        Pruning(self._removal, Choice(kept, state=state, what=what)).archived(done or "")
        self._redis.hset(_CLEANED, name, last)

    def _apply(self, what: str, kept: float, act: Callable[[Sequence[str]], int]) -> bool:
        seconds, microseconds = self._redis.time()
        last = seconds + microseconds / 1e6 - kept
        passed = f"{PREFIX}passed:{what}"
        due = self._next(what, last)
        if what == "records" and not self._worth_it(len(due)):
            return False
        # Those that something needed, again: a step of them, those that follow the ones of the step before.
        first = self._looked_at.get(what, 0)
        again = cast("list[str]", self._redis.zrangebyscore(passed, "-inf", last, start=first, num=_STEP))
        self._looked_at[what] = first + len(again) if len(again) == _STEP else 0
        acted = act(list(dict.fromkeys([*(job_id for job_id, _ in due), *again])))
        if due:
            # Only now: of a step that is broken off all is looked at again.
            self._redis.hset(_CLEANED, what, repr(due[-1][1]))
        if acted:
            logger.info("%s: cleaned up %d jobs", what, acted)
        return bool(due)

    def _worth_it(self, due: int) -> bool:
        """Whether so many jobs are archived now: a few wait, so that a day has few objects."""
        if due < _STEP and time.monotonic() - self._archived_at < _HOUR:
            return False
        self._archived_at = self._archived_at if due >= _STEP else time.monotonic()
        return True

    def _archive(self, job_ids: Sequence[str]) -> int:
        moved = self._archiving.move(job_ids)
        passed = f"{PREFIX}passed:records"
        for job_id in job_ids:
            ended = None if job_id in moved else self._redis.hget(f"{PREFIX}job:{job_id}", "finished")
            if ended:
                self._redis.zadd(passed, {job_id: float(cast("str", ended))})
            elif job_id not in moved:
                self._redis.zrem(passed, job_id)
        return len(moved)

    def _delete(self, job_ids: Sequence[str], what: What) -> int:
        marked = [job_id for job_id in job_ids if self._marks(job_id, what)]
        return len(marked) if self._removal.finish_jobs(marked, what).objects else 0

    def _next(self, what: str, last: float) -> list[tuple[str, float]]:
        """The jobs that ended after those that were looked at, with the times of their ends."""
        done = cast("str | None", self._redis.hget(_CLEANED, what))
        first = f"({done}" if done else "-inf"
        ended = f"{PREFIX}ended"
        found = cast(
            "list[tuple[str, float]]",
            self._redis.zrangebyscore(ended, first, last, start=0, num=_STEP, withscores=True),
        )
        if not found:
            return []
        # With all that ended in the same step as the last of them.
        same = found[-1][1]
        more = cast("list[str]", self._redis.zrangebyscore(ended, repr(same), repr(same)))
        return list(dict.fromkeys([*found, *((job_id, same) for job_id in more)]))

    def _marks(self, job_id: str, what: What) -> bool:
        """Says in the records that this goes of a job; False if it does not, or has gone."""
        passed = f"{PREFIX}passed:{what}"
        state, removed, ended = cast(
            "list[str | None]",
            self._redis.hmget(f"{PREFIX}job:{job_id}", "state", "removed", "finished"),
        )
        of_rule = state is not None and (what is not What.CHECKPOINTS or state == JobState.SUCCEEDED)
        if not of_rule or what in (removed or "").split(","):
            self._redis.zrem(passed, job_id)
            return False
        try:
            self._removal.mark(job_id, what, "parents")
        except StillNeeded:
            self._redis.zadd(passed, {job_id: float(ended or 0)})
            return False
        except UnknownJob:
            return False
        return True

    def _has_the_work(self) -> bool:
        if self._redis.set(_CLEANER, self._token, nx=True, ex=_HELD):
            return True
        if self._redis.get(_CLEANER) == self._token:
            self._redis.expire(_CLEANER, _HELD)
            return True
        return False
