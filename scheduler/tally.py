"""What is counted of all jobs, and how long the oldest waits: for the figures that others collect."""

from collections.abc import Mapping
from typing import cast

from redis import Redis

from scheduler.connection import PREFIX
from scheduler.indices import indices
from scheduler.states import JobState


class Tally:
    """Counts of all jobs."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def counted(self) -> dict[str, float]:
        """What the scripts have counted since Redis was empty: name, parted by `|`, -> count or sum."""
        found = cast("dict[str, str]", self._redis.hgetall(f"{PREFIX}tally"))
        return {name: float(count) for name, count in found.items()}

    def add(self, counts: Mapping[str, int]) -> None:
        """Counts what no script does."""
        pipeline = self._redis.pipeline(transaction=False)
        for name, count in counts.items():
            pipeline.hincrby(f"{PREFIX}tally", name, count)
        pipeline.execute()

    def longest_wait(self) -> float:
        """Seconds for which the oldest queued job, or part, has been queued; 0 if none is."""
        oldest = [cast("list[str]", self._redis.zrange(index, 0, 0)) for index in indices(JobState.QUEUED)]
        times = [self._redis.hget(f"{PREFIX}job:{job_id}", "queued") for found in oldest for job_id in found]
        seconds, microseconds = self._redis.time()
        now = seconds + microseconds / 1e6
        return max((now - float(cast("str", since)) for since in times if since), default=0.0)
