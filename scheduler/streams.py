"""What a job does, as it happens: its events and its output, for whoever follows it live."""

import math
import time
from collections.abc import Mapping
from typing import Any

from redis import Redis

from scheduler.capacity import memory
from scheduler.connection import PREFIX

#: Seconds that events and log lines of a finished job stay in Redis; the store keeps them for good.
EVENTS_KEPT = 24 * 3600
#: Between two looks at how full Redis is.
_LOOK_SECONDS = 2.0
#: (id, fields) in a stream.
Entry = tuple[str, dict[str, str]]


class Streams:
    """The streams of all jobs. Events are entered by the scripts that change the records."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._looked, self._is_full = -math.inf, False

    def newest_event(self, job_id: str) -> str:
        """The id of the newest event, from which `events` goes on; "0" before the first."""
        entries: Any = self._redis.xrevrange(f"{PREFIX}events:{job_id}", count=1)
        return str(entries[0][0]) if entries else "0"

    def events(self, job_id: str, after: str = "0", block_seconds: float = 0.0) -> list[Entry]:
        """Events of a job after an event id: `{"state": ...}` or `{"progress": JSON}`."""
        return self._stream(f"{PREFIX}events:{job_id}", after, block_seconds)

    def newer_events(self, seen: Mapping[str, str], block_seconds: float) -> dict[str, str]:
        """Waits for an event of any of these jobs, for at most so long.

        Args:
            seen: job -> the id of the event from which on it is followed; "0" for all of them.
            block_seconds: to wait.

        Returns:
            The id of the newest event of each job that has one.
        """
        keys = {f"{PREFIX}events:{job_id}": job_id for job_id in seen}
        block = self._milliseconds(block_seconds)
        after: Any = {key: seen[job_id] for key, job_id in keys.items()}
        answer: Any = self._redis.xread(after, count=500, block=block)
        return {keys[key]: str(entries[-1][0]) for key, entries in answer or ()}

    def add_log(self, job_id: str, attempt: int, text: str) -> None:
        """Appends output of a running attempt for whoever follows it live."""
        if self._full():
            return  # the store gets it, and jobs that run need what is left
        key = f"{PREFIX}log:{job_id}"
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.xadd(key, {"attempt": str(attempt), "text": text}, maxlen=2000, approximate=True)
        pipeline.expire(key, EVENTS_KEPT)
        pipeline.execute()

    def _full(self) -> bool:
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked, self._is_full = time.monotonic(), memory(self._redis).nearly_full
        return self._is_full

    def log(self, job_id: str, after: str = "0", block_seconds: float = 0.0) -> list[Entry]:
        """Live output after an id: `{"attempt": ..., "text": ...}`."""
        return self._stream(f"{PREFIX}log:{job_id}", after, block_seconds)

    def _stream(self, key: str, after: str, block_seconds: float) -> list[Entry]:
        answer: Any = self._redis.xread({key: after}, count=500, block=self._milliseconds(block_seconds))
        return [entry for _, entries in answer or () for entry in entries]

    def _milliseconds(self, block_seconds: float) -> int | None:
        # Blocking for longer than the socket waits would look like a dead server.
        longest = self._redis.connection_pool.connection_kwargs.get("socket_timeout") or block_seconds
        return int(min(block_seconds, longest / 2) * 1000) or None
