"""The parts of jobs in the records."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import cast

from scheduler.connection import PREFIX
from scheduler.record import JobRecord, NewPart
from scheduler.records import Records
from scheduler.scripts import Scripts
from scheduler.states import JobState


class Parts:
    """The parts of jobs in the records."""

    def __init__(self, records: Records) -> None:
        self._records, self._redis = records, records.redis
        self._run = Scripts(records.redis).run

    def enter(self, job_id: str, attempt: int, parts: Sequence[NewPart]) -> bool:
        """Enters the parts of a job, which waits for them from now on; False if the attempt has lost it."""
        flat: list[object] = []
        for each in parts:
            about, complete = json.dumps(asdict(each.part)), int(each.complete)
            flat += [each.id, about, each.part.rows, each.fingerprint, complete, each.attempt]
        rows = sum(each.part.rows for each in parts)
        return bool(self._run("divide", job_id, attempt, self._records.patience, rows, *flat))

    def of(self, job_id: str) -> list[JobRecord]:
        """The records of the parts of a job, in the order of their rows; without what they have in common."""
        pipeline, ids = self._redis.pipeline(transaction=False), self.ids(job_id)
        archive = self._records.archive
        if not ids and archive is not None and not self._records.knows(job_id):
            kept = archive.get(job_id)
            return [JobRecord.of(fields) for fields in kept.parts] if kept else []
        for each in ids:
            pipeline.hgetall(f"{PREFIX}job:{each}")
        return [JobRecord.of(fields) for fields in pipeline.execute() if fields]

    def ids(self, job_id: str) -> list[str]:
        """The ids of the parts of a job, in the order of their rows."""
        return cast("list[str]", self._redis.lrange(f"{PREFIX}parts_of:{job_id}", 0, -1))

    def queued(self, ids: Sequence[str]) -> set[str]:
        """Those parts that are queued now."""
        pipeline = self._redis.pipeline(transaction=False)
        for each in ids:
            pipeline.hget(f"{PREFIX}job:{each}", "state")
        states = pipeline.execute()
        return {each for each, state in zip(ids, states, strict=True) if state == JobState.QUEUED}

    def left_by(self, fingerprints: Sequence[str]) -> dict[str, str]:
        """The ids of parts that are done, of jobs that ended without a result, by fingerprint."""
        if not fingerprints:
            return {}
        found = cast("list[str | None]", self._redis.hmget(f"{PREFIX}fingerprints", list(fingerprints)))
        ids = {key: job_id for key, job_id in zip(fingerprints, found, strict=True) if job_id}
        left = {}
        for key, job_id in ids.items():
            state, whole = cast(
                "list[str | None]", self._redis.hmget(f"{PREFIX}job:{job_id}", "state", "whole")
            )
            if state == JobState.SUCCEEDED and whole:
                ended = self._redis.hget(f"{PREFIX}job:{whole}", "state")
                # One that is under way, or was successful, removes what its parts have saved.
                if ended in (JobState.FAILED, JobState.CANCELLED):
                    left[key] = job_id
        return left
