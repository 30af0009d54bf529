"""Moving the records of jobs that ended long ago from Redis into the archive."""

from collections.abc import Sequence
from typing import Any

from redis import Redis

from scheduler.archive import Archive, Kept
from scheduler.connection import PREFIX
from scheduler.records import Records
from scheduler.references import References, job_target
from scheduler.scripts import Scripts
from scheduler.tally import Tally


class Archiving:
    """Archives jobs: all that is known of them is in the store before Redis lets go of it."""

    def __init__(self, records: Records, archive: Archive) -> None:
        self._records, self._archive = records, archive
        self._redis: Redis = records.redis
        self._references = References(records.redis)
        self._run = Scripts(records.redis).run

    def move(self, job_ids: Sequence[str]) -> set[str]:
        """Archives jobs that have ended and that nothing refers to; those that were."""
        found = [self._kept(job_id) for job_id in job_ids if not self._references.holder(job_target(job_id))]
        jobs = [kept for kept in found if kept is not None]
        self._archive.put_several(jobs)
        self._archive.add(jobs)
        moved = {
            kept.fields["id"]
            for kept in jobs
            if self._run("archive", kept.fields["id"], kept.fields.get("removed", ""))
        }
        if moved:
            Tally(self._redis).add({"archived": len(moved)})
        return moved

    def _kept(self, job_id: str) -> Kept | None:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hgetall(f"{PREFIX}job:{job_id}")
        pipeline.lrange(f"{PREFIX}parts_of:{job_id}", 0, -1)
        fields, parts = pipeline.execute()
        if not fields:
            return None
        return Kept(fields, self._records.attempts(job_id), self._parts(parts))

    def _parts(self, ids: Sequence[str]) -> list[dict[str, str]]:
        pipeline = self._redis.pipeline(transaction=False)
        for part in ids:
            pipeline.hgetall(f"{PREFIX}job:{part}")
        found: list[Any] = pipeline.execute()
        return [fields for fields in found if fields]
