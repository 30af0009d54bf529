"""What an attempt says when its job has succeeded: log, metrics and report, and last of all the result."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from redis.exceptions import RedisError

from jobs.context import Progress
from jobs.spec import JobResult
from scheduler.errors import StoreRefused, UnknownJob, Unreachable
from scheduler.greetings import uses_card
from scheduler.keys import JobKeys
from scheduler.report import store_report
from scheduler.results import MOST_TOLD, Told
from scheduler.states import JobState
from worker.metrics import SentMetrics
from worker.runners import Assignment
from worker.servers import Servers
from worker.shown_log import shown
from worker.uploads import Uploads, patiently

logger = logging.getLogger(__name__)

#: Seconds between two questions to a Redis that does not answer.
_PAUSE_SECONDS = 0.5
#: Seconds of an attempt, of a kind that others share a process with, from which on it makes the page about
#: itself: that takes as long as twenty trivial jobs do otherwise.
_WORTH_A_PAGE = 5.0


class LostLease(Exception):
    """Another attempt runs the job, so this one must write nothing more."""


class Closing:
    """The last words of one attempt, in the order in which they are to be said."""

    def __init__(self, servers: Servers, assignment: Assignment, reuses_runner: bool) -> None:
        self._store, self._records = servers.store, servers.records
        self._job_id, self._attempt = assignment.job_id, assignment.attempt
        self._keys = JobKeys(assignment.job_id)
        self._kind = assignment.spec["kind"]
        self._is_part, self._is_divided = assignment.part is not None, assignment.division is not None
        self._reuses_runner = reuses_runner
        self._began = time.monotonic()

    def drop_shards(self) -> None:
        """See `WorkerContext.drop_shards`."""
        if self._is_part:
            return  # the whole is made of them
        folders = [self._keys.shards, *([self._keys.parts] if self._is_divided else [])]
        with suppress(Unreachable, StoreRefused):
            for folder in folders:
                found = [item.key for item in self._store.under(folder) if "/shards/" in item.key]
                self._store.delete_all(found)

    def say(
        self,
        result: JobResult,
        uploads: Uploads,
        metrics: SentMetrics,
        log: Path,
        where: Mapping[str, str] | None,
        newest: Callable[[], Progress | None],
    ) -> int:
        """Says everything, once all that the job has saved is stored.

        Args:
            result: of the job.
            uploads: what is under way.
            metrics: what it has reported.
            log: what it has printed, if there is such a file.
            where: it ran, if that is not in the store yet.
            newest: its last report.

        Returns:
            How many bytes of the log are in the store; -1 if there is none.

        Raises:
            LostLease: another attempt runs the job.
        """
        page = self._makes_page()
        told = Told(self._attempt, result=result.model_dump(mode="json"))
        if not page:
            uploads.flush()  # whose lines are all known then
            told = replace(told, environment=where, metrics=metrics.short(MOST_TOLD))
        if told.environment is None and where is not None:
            uploads.beside(self._keys.environment(self._attempt), partial(self._put_where, where))
        if told.metrics is None:
            uploads.beside(self._keys.metrics(self._attempt), metrics.finish)
        logged, printed = self._log(log, uploads, MOST_TOLD if not page else 0)
        uploads.flush()
        if page:
            self.store_report(result)  # before the result, which is the last of all
        self.hold(newest())
        self._store_result(replace(told, log=printed))
        return logged

    def _makes_page(self) -> bool:
        """Whether the page is made now; what is over sooner than that takes leaves it to whoever asks."""
        if self._is_part:
            return False  # the whole has one, with its parts in it
        return not self._reuses_runner or time.monotonic() - self._began > _WORTH_A_PAGE

    def _put_where(self, where: Mapping[str, str]) -> None:
        self._store.put_json(self._keys.environment(self._attempt), where)

    def _log(self, log: Path, uploads: Uploads, most: int) -> tuple[int, str | None]:
        """How long the log is, and one of so many bytes at most; a longer one is stored beside the others."""
        if not log.exists():
            return -1, None
        size, key = log.stat().st_size, self._keys.log(self._attempt)
        copy = shown(log, uses_card())
        if copy.stat().st_size <= most:
            return size, copy.read_text(errors="replace")
        uploads.beside(key, lambda: self._store.put_file(key, copy, "text/plain"))
        return size, None

    def store_report(self, result: JobResult) -> None:
        """Stores the page about the job, unless another attempt has it by now."""
        with suppress(RedisError, OSError, UnknownJob):
            job = self._records.get(self._job_id)
            if job.attempt != self._attempt:
                return  # a lost attempt must not tell of a success that may not come
            seconds, microseconds = self._records.redis.time()
            ended = replace(job, state=JobState.SUCCEEDED, finished=seconds + microseconds / 1e6)
            store_report(self._store, self._records, ended, result.model_dump(mode="json"))

    def hold(self, newest: Progress | None) -> None:
        """Waits until Redis has the last report and says whose the job is; the worker ends the waiting.

        Raises:
            LostLease: another attempt runs the job.
        """
        while True:
            try:
                if newest:
                    held = self._records.report(self._job_id, self._attempt, newest)
                else:
                    held = self._records.holds(self._job_id, self._attempt)
                break
            except (RedisError, OSError) as error:
                logger.warning("Redis does not answer, asking again: %s", error)
                time.sleep(_PAUSE_SECONDS)
        if not held:
            raise LostLease(f"attempt {self._attempt} has lost job {self._job_id}")

    def _store_result(self, told: Told) -> None:
        """Stores the result: its existence means complete."""
        content = told.fields() | {
            "job": self._job_id,
            "kind": self._kind,
            "seconds": round(time.monotonic() - self._began, 3),
            "finished": time.time(),
        }
        # The first result stands. Between the look at the lease and the write this process may have slept for
        # as long as one likes, and whoever has read a result must never see another.
        if not patiently(lambda: self._store.put_new_json(self._keys.result, content)):
            logger.warning("there is a result already, which stands")
