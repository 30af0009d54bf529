"""The record of every job in Redis, and every change to one.

Each change is a Lua script (in `lua/`), so that its check and its write are one step: a job is claimed once,
and an attempt that lost its lease changes nothing, however late it wakes. The attempt number is the fencing
token.
"""

import json
from collections.abc import Sequence
from typing import Any, cast
from uuid import uuid4

from redis import Redis

from jobs.context import Progress, StopReason
from scheduler.archive import Archive
from scheduler.capacity import memory
from scheduler.connection import PREFIX
from scheduler.errors import NearlyFull, TickTaken, UnknownJob, Vanishing
from scheduler.indices import digest_of_key, indices
from scheduler.record import JobRecord, NewJob, Renewal, Sweep
from scheduler.scripts import Scripts
from scheduler.states import FailureCause, JobState
from scheduler.streams import Streams


class Records:
    """The records of all jobs."""

    def __init__(self, redis: Redis, patience_seconds: float = 5.0, archive: Archive | None = None) -> None:
        self.redis, self.archive = redis, archive  #: the latter where people look for jobs
        self.patience = patience_seconds  #: given to whoever is about to publish a message
        self.streams = Streams(redis)
        self._run = Scripts(redis).run

    def create(
        self, job: NewJob, *, reuse: bool = False, ended: JobState | None = None
    ) -> tuple[str, JobState]:
        """Enters a job as QUEUED, or as WAITING for a parent or a time. Entering it twice is harmless.

        Args:
            job: the job.
            reuse: whether one of the same fingerprint, finished or under way, will do as well.
            ended: the final state of a job that is rebuilt from the store.

        Returns:
            The id of the job that does the work, and its state.

        Raises:
            NearlyFull: Redis is.
            Vanishing: something that it refers to is being deleted, or the job that its key stood for.
            TickTaken: the tick of a schedule that it is for was dealt with.
        """
        fields = {
            "kind": job.kind,
            "pool": job.pool,
            "priority": job.priority,
            "spec": job.spec,
            "attempts": job.attempts,
            "parents": json.dumps(list(job.parents)),
            "inputs": json.dumps(job.inputs),
            "start_at": job.start_at,
            "fingerprint": job.fingerprint or job.id,
            "refers": json.dumps(list(job.refers)),
            **({"division": job.division} if job.division else {}),
            **({"key": job.key} if job.key else {}),
            **({"archived_parents": json.dumps(list(job.archived))} if job.archived else {}),
            **({"schedule": job.schedule} if job.schedule else {}),
            **({"names": json.dumps(job.names)} if job.names else {}),
            **job.past,
        }
        flat = [part for pair in fields.items() for part in pair]
        job_id, state = self._run("create", job.id, self.patience, int(reuse), ended or "", *flat)
        if job_id == "DELETING":
            raise Vanishing(state)
        if job_id == "FULL":
            raise NearlyFull(memory(self.redis).sentence)
        if not state:
            raise TickTaken(f"the tick of the schedule {job.schedule} was dealt with before")
        return job_id, JobState(state)

    def published(self, *job_ids: str) -> None:
        """Their messages are in the queue."""
        self.redis.zrem(f"{PREFIX}outbox", *job_ids)

    def claim(self, job_id: str, worker: str, lease_seconds: float, seat: str = "") -> JobRecord | None:
        """Takes the right to run a queued job as a new attempt, or None if it cannot be claimed.

        Args:
            job_id: the job.
            worker: who takes it.
            lease_seconds: how long the right lasts.
            seat: where, so that the worker can take its jobs back if it starts again there.
        """
        fields = self._run("claim", job_id, worker, lease_seconds, uuid4().hex, seat)
        if not fields:
            return None
        return JobRecord.of(dict(zip(fields[::2], fields[1::2], strict=True)))

    def renew(self, job_id: str, attempt: int, lease_seconds: float) -> Renewal | None:
        """Keeps the right to run a job, or None: the lease is lost."""
        answer = self._run("renew", job_id, attempt, lease_seconds)
        if answer is None:
            return None
        wish, progress, progressed = answer
        return Renewal(
            wish=StopReason(wish) if wish else None,
            progress=Progress(**json.loads(progress)) if progress else None,
            progressed=float(progressed) if progressed else None,
        )

    def any_ended(self, job_ids: Sequence[str]) -> bool:
        """Whether one of these jobs has ended, or is not known."""
        pipeline = self.redis.pipeline(transaction=False)
        for job_id in job_ids:
            pipeline.hget(f"{PREFIX}job:{job_id}", "state")
        return any(state is None or JobState(state).final for state in pipeline.execute())

    def holds(self, job_id: str, attempt: int) -> bool:
        """Whether this attempt still has the job; by the time of the answer it may not."""
        state, newest = cast("list[str]", self.redis.hmget(f"{PREFIX}job:{job_id}", "state", "attempt"))
        return (state, newest) == (JobState.RUNNING, str(attempt))

    def report(self, job_id: str, attempt: int, progress: Progress) -> bool:
        """Writes progress; False if this attempt has lost the job."""
        text = json.dumps(
            {
                "step": progress.step,
                "total": progress.total,
                "stage": progress.stage,
                "metrics": dict(progress.metrics),
                "eta_seconds": progress.eta_seconds,
            }
        )
        return bool(self._run("progress", job_id, attempt, text, progress.step))

    def saved(self, job_id: str, attempt: int, step: int) -> bool:
        """A checkpoint is in the store; False if this attempt has lost the job.

        One of a later step than any before forgives the failures so far: only those without progress count.
        """
        return bool(self._run("saved", job_id, attempt, step))

    def settle(
        self,
        job_id: str,
        attempt: int,
        state: JobState,
        cause: FailureCause | None = None,
        message: str = "",
    ) -> bool:
        """Ends a job; False if this attempt has lost it. Children are released, or failed with it."""
        return bool(self._run("settle", job_id, attempt, state, cause or "", message))

    def give_back(
        self,
        job_id: str,
        attempt: int,
        *,
        charged: bool,
        cause: FailureCause | None = None,
        message: str = "",
        delay: float = 0.0,
    ) -> JobState | None:
        """Lets another attempt go on; the state that follows, or None if this attempt has lost the job.

        Args:
            job_id: the job.
            attempt: the attempt that gives it back.
            charged: whether it counts against `limits.attempts`; draining a worker does not.
            cause: why, for the list of attempts and for the job if this was its last.
            message: the same in a sentence.
            delay: seconds before it may run again.
        """
        state = self._run(
            "give_back", job_id, attempt, int(charged), cause or "", message, delay, self.patience
        )
        return JobState(state) if state else None

    def take_back(self, worker: str, seat: str) -> list[str]:
        """Gives back what a worker's former self held in this seat, in which nothing of it is alive."""
        return list(self._run("take_back", worker, seat, self.patience))

    def cancel(self, job_id: str) -> JobState:
        """Ends a job that has not begun; asks a running one to stop. Finished ones stay as they are.

        Raises:
            UnknownJob: there is no such job.
        """
        state = self._run("cancel", job_id)
        if not state:
            raise UnknownJob(f"there is no job {job_id!r}; `triptych jobs` lists them")
        return JobState(state)

    def preempt(self, job_id: str, attempt: int) -> bool:
        """Asks a running job to leave its slot at its next step boundary; False if it was asked already."""
        return bool(self._run("preempt", job_id, attempt))

    def sweep(self, most: int) -> Sweep:
        """Requeues what lost its worker, releases what is due, and finds what was never published."""
        lost, unpublished = self._run("sweep", most)
        return Sweep(lost=lost, unpublished=unpublished)

    def get(self, job_id: str) -> JobRecord:
        """One record.

        Raises:
            UnknownJob: there is no such job.
        """
        fields = cast("dict[str, str]", self.redis.hgetall(f"{PREFIX}job:{job_id}"))
        if not fields:
            if self.archive and (kept := self.archive.get(job_id)):
                return kept.record
            raise UnknownJob(f"there is no job {job_id!r}; `triptych jobs` lists them")
        if whole := fields.get("whole"):  # which keeps what all parts have in common
            spec, inputs = cast("list[str]", self.redis.hmget(f"{PREFIX}job:{whole}", "spec", "inputs"))
            fields |= {"spec": spec, "inputs": inputs}
        return JobRecord.of(fields)

    def find(self, start: str) -> str:
        """The id that begins like this; a part's only in full.

        Raises:
            UnknownJob: none does, or several do.
        """
        if self.knows(start):
            return start
        found = cast(
            "list[str]", self.redis.zrangebylex(f"{PREFIX}ids", f"[{start}", f"[{start}\xff", start=0, num=3)
        )
        found += [each for each in self.archive.find(start) if each not in found] if self.archive else []
        if len(found) == 1:
            return found[0]
        if found:
            raise UnknownJob(
                f"several jobs begin with {start!r}: {', '.join(found)}, ...; give more of the id"
            )
        raise UnknownJob(f"there is no job {start!r}; `triptych jobs` lists them")

    def newest(
        self, state: JobState | None = None, kind: str | None = None, limit: int = 50, offset: int = 0
    ) -> list[JobRecord]:
        """Records by state and kind, the newest first; the cost grows with what is asked for, not history."""
        if state:
            index = f"{PREFIX}state:{state}:{kind}" if kind else f"{PREFIX}state:{state}"
        else:
            index = f"{PREFIX}kind:{kind}" if kind else f"{PREFIX}all"
        return self._newest(index, limit, offset)

    def _newest(self, index: str, limit: int, offset: int) -> list[JobRecord]:
        ids = cast("list[str]", self.redis.zrevrange(index, offset, offset + limit - 1))
        pipeline = self.redis.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hgetall(f"{PREFIX}job:{job_id}")
        return [JobRecord.of(fields) for fields in pipeline.execute() if fields]

    def id_of_key(self, key: str, new_id: str) -> str:
        """The id that an idempotency key stands for: the one it was first given, or `new_id` from now on."""
        return self.id_of(digest_of_key(key), new_id)

    def id_of(self, digest: str, new_id: str) -> str:
        """The same, of a key by its digest."""
        name = f"{PREFIX}key:{digest}"
        # One step: of two callers with the same key, both get the id of the first.
        return cast("str | None", self.redis.set(name, new_id, nx=True, get=True)) or new_id

    def same(self, fingerprint: str) -> str | None:
        """A job of this fingerprint that has succeeded or is under way."""
        found = cast("str | None", self.redis.hget(f"{PREFIX}fingerprints", fingerprint))
        if found is None or self.get(found).state in (JobState.FAILED, JobState.CANCELLED):
            return None
        return found

    def knows(self, job_id: str) -> bool:
        """Whether there is a job of that id."""
        return bool(self.redis.exists(f"{PREFIX}job:{job_id}"))

    def running(self, pool: str) -> list[JobRecord]:
        """The jobs and parts that run on workers of a pool."""
        records = [each for index in indices(JobState.RUNNING) for each in self._newest(index, 10_000, 0)]
        return [record for record in records if record.worker.startswith(f"{pool}@")]

    def counts(self) -> dict[JobState, int]:
        """How many jobs, and parts of jobs, are in each state."""
        pipeline = self.redis.pipeline(transaction=False)
        for state in JobState:
            for index in indices(state):
                pipeline.zcard(index)
        found = pipeline.execute()
        return {state: found[2 * n] + found[2 * n + 1] for n, state in enumerate(JobState)}

    def attempts(self, job_id: str) -> list[dict[str, Any]]:
        """The attempts that ended without ending the job: attempt, worker, cause, message, ended."""
        found = cast("list[str]", self.redis.lrange(f"{PREFIX}attempts:{job_id}", 0, -1))
        kept = None if found or self.knows(job_id) or not self.archive else self.archive.get(job_id)
        return kept.attempts if kept else [json.loads(item) for item in found]

    def leftovers(self) -> dict[str, int]:
        """Sizes of what must be empty when nothing is under way: leases, outbox, delayed."""
        return {name: self.redis.zcard(f"{PREFIX}{name}") for name in ("leases", "outbox", "delayed")}
