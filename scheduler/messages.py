"""Finding queued jobs whose message the broker has lost."""

import json
import logging
from collections.abc import Collection, Iterable, Iterator
from typing import Any, cast

from redis import Redis

from scheduler.connection import PREFIX
from scheduler.indices import indices
from scheduler.pools import POOLS, PRIORITIES
from scheduler.records import Records
from scheduler.states import JobState

logger = logging.getLogger(__name__)

#: Messages, or records, looked at in one step, so that a step stays short however many there are.
STEP = 500


def waiting(redis: Redis, pool: str) -> list[int]:
    """How many messages wait in a pool, by priority."""
    pipeline = redis.pipeline(transaction=False)
    for priority in PRIORITIES:
        pipeline.llen(list_of(pool, priority))
    return cast("list[int]", pipeline.execute())


def list_of(pool: str, priority: int) -> str:
    """Kombu's name for the list of one priority; the most urgent one has the bare name."""
    return f"{pool}\x06\x16{priority}" if priority else pool


class LostMessages:
    """Compares what is queued by the records with what the queues hold, a bounded step at a time."""

    def __init__(self, records: Records, patience_seconds: float) -> None:
        self._records = records
        self._patience = patience_seconds
        self._search: Iterator[list[str]] | None = None

    def step(self) -> list[str]:
        """Looks a little further; the jobs that were found to be without a message."""
        # Where nothing waits, nothing need be searched.
        if sum(sum(waiting(self._records.redis, pool)) for pool in POOLS) == 0:
            self._search = None
            return self._queued(0)
        if self._search is None:
            self._search = self._compare()
        found = next(self._search, None)
        if found is None:
            self._search = None
        return found or []

    def _queued(self, offset: int) -> list[str]:
        """Queued jobs and parts, of each the oldest first, that have been so for a while."""
        redis = self._records.redis
        seconds, microseconds = redis.time()
        now = seconds + microseconds / 1e6
        ids = [
            job_id
            for index in indices(JobState.QUEUED)
            for job_id in cast("list[str]", redis.zrange(index, offset, offset + STEP - 1))
        ]
        pipeline = redis.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hget(f"{PREFIX}job:{job_id}", "queued")
        times = pipeline.execute()
        return [
            job_id
            for job_id, since in zip(ids, times, strict=True)
            if since and now - float(since) >= self._patience
        ]

    def _compare(self) -> Iterator[list[str]]:
        """A search through both, as steps; only the last yields anything."""
        # The records first: a message that arrives meanwhile is then no longer missed.
        queued: list[str] = []
        while page := self._queued(len(queued)):
            queued += page
            yield []
        missing = set(queued)
        for pool in POOLS:
            for priority in PRIORITIES:
                for ids in self._pages(list_of(pool, priority)):
                    missing.difference_update(ids)
                    yield []
        # A job claimed meanwhile is not missing; whoever publishes looks at its state once more.
        yield [job_id for job_id in queued if job_id in missing]

    def _pages(self, name: str) -> Iterator[list[str]]:
        # From the end at which messages arrive: what arrives or is taken meanwhile hides none from sight.
        first = 0
        while page := cast("list[str]", self._records.redis.lrange(name, first, first + STEP - 1)):
            yield list(_ids(page))
            first += STEP


def withdraw(redis: Redis, pool: str, priority: int, job_ids: Collection[str]) -> None:
    """Takes the messages of jobs that have ended out of a queue.

    They would do no harm, but a thousand of them keep a worker busy before it gets to what comes after them.
    """
    name, first, left = list_of(pool, priority), 0, set(job_ids)
    while left and (page := cast("list[str]", redis.lrange(name, first, first + STEP - 1))):
        found = [(job_id, text) for job_id, text in zip(_ids(page), page, strict=True) if job_id in left]
        pipeline = redis.pipeline(transaction=False)
        for _, text in found:
            pipeline.lrem(name, 1, text)
        pipeline.execute()
        left.difference_update(job_id for job_id, _ in found)
        # What comes or goes meanwhile moves the others; one that is passed over is dropped when it is taken.
        first += len(page) - len(found)


def _ids(messages: Iterable[str]) -> Iterator[str]:
    for message in messages:
        data: dict[str, Any] = json.loads(message)
        yield data["headers"]["id"]
