"""The record of every job in Redis, and every change to one.

Each change is a Lua script (in `lua/`), so that its check and its write are one step: a job is claimed once,
and an attempt that lost its lease changes nothing, however late it wakes. The attempt number is the fencing
token.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.commands.core import Script
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from jobs.context import Progress, StopReason
from scheduler.errors import UnknownJob
from scheduler.settings import RedisSettings
from scheduler.states import TRANSITIONS, FailureCause, JobState
from scheduler.tls import redis_options

PREFIX = "triptych:"
#: Seconds that events and log lines of a finished job stay in Redis; the store keeps them for good.
EVENTS_KEPT = 24 * 3600

#: Seconds, of the histograms in the tally: from a free slot to a night in the queue.
BOUNDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 43200.0)
#: (id, fields) in a stream.
Entry = tuple[str, dict[str, str]]


def connect(settings: RedisSettings) -> Redis:
    """A client that reconnects by itself; every script of ours may be sent twice without harm."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        decode_responses=True,
        socket_timeout=settings.redis_timeout,
        socket_connect_timeout=settings.redis_timeout,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), 5),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
        **redis_options(settings),
    )


@dataclass(frozen=True)
class NewJob:
    """What the client asks for."""

    id: str
    kind: str
    pool: str
    priority: int
    spec: str  #: JSON, kind included
    attempts: int
    parents: Sequence[str] = ()
    inputs: dict[str, str] = field(default_factory=dict)  #: data set name -> digest that it is pinned to
    start_at: float = 0.0  #: seconds since 1970; not before this
    fingerprint: str = ""  #: equal for jobs that would come to the same
    #: Of a job rebuilt from the store: what is known of its past.
    past: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JobRecord:
    """A job as Redis knows it. Times are seconds since 1970 by Redis's clock."""

    id: str
    kind: str
    state: JobState
    pool: str
    priority: int
    spec: dict[str, Any]
    created: float
    attempt: int
    failures: int
    inputs: dict[str, str]
    parents: tuple[str, ...]
    started: float | None
    attempt_started: float | None
    finished: float | None
    worker: str
    cause: FailureCause | None
    message: str
    progress: Progress | None
    cancel_requested: bool
    preempted: bool  #: this attempt was asked to leave its slot to a more urgent job
    fingerprint: str

    @classmethod
    def of(cls, fields: dict[str, str]) -> "JobRecord":
        """The record in the fields of a hash."""
        return cls(
            id=fields["id"],
            kind=fields["kind"],
            state=JobState(fields["state"]),
            pool=fields["pool"],
            priority=int(fields["priority"]),
            spec=json.loads(fields["spec"]),
            created=float(fields["created"]),
            attempt=int(fields["attempt"]),
            failures=int(fields["failures"]),
            inputs=json.loads(fields["inputs"]),
            parents=tuple(json.loads(fields["parents"])),
            started=_time(fields.get("started")),
            attempt_started=_time(fields.get("attempt_started")),
            finished=_time(fields.get("finished")),
            worker=fields.get("worker", ""),
            cause=FailureCause(fields["cause"]) if fields.get("cause") else None,
            message=fields.get("message", ""),
            progress=Progress(**json.loads(fields["progress"])) if fields.get("progress") else None,
            cancel_requested=fields.get("cancel") == "1",
            preempted=fields.get("preempt") == fields["attempt"],
            fingerprint=fields["fingerprint"],
        )


@dataclass(frozen=True)
class Renewal:
    """What a worker learns when it renews a lease."""

    wish: StopReason | None
    progress: Progress | None
    progressed: float | None  #: when the last report came, by Redis's clock


@dataclass(frozen=True)
class Sweep:
    """What one round of recovery did and found due."""

    lost: Sequence[str]  #: jobs whose lease ran out
    unpublished: Sequence[str]  #: queued jobs whose message has to be sent


class Records:
    """The records of all jobs."""

    def __init__(self, redis: Redis, patience_seconds: float = 5.0) -> None:
        self.redis = redis
        self._patience = patience_seconds  #: given to whoever is about to publish a message
        self._scripts: dict[str, Script] = {}

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
            **job.past,
        }
        flat = [part for pair in fields.items() for part in pair]
        job_id, state = self._run("create", job.id, self._patience, int(reuse), ended or "", *flat)
        return job_id, JobState(state)

    def published(self, job_id: str) -> None:
        """Its message is in the queue."""
        self.redis.zrem(f"{PREFIX}outbox", job_id)

    def claim(self, job_id: str, worker: str, lease_seconds: float) -> JobRecord | None:
        """Takes the right to run a queued job as a new attempt, or None if it is not to be had."""
        fields = self._run("claim", job_id, worker, lease_seconds, uuid4().hex)
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
            progressed=_time(progressed),
        )

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
            "give_back", job_id, attempt, int(charged), cause or "", message, delay, self._patience
        )
        return JobState(state) if state else None

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
            raise UnknownJob(f"there is no job {job_id!r}; `triptych jobs` lists them")
        return JobRecord.of(fields)

    def find(self, start: str) -> str:
        """The id that begins like this.

        Raises:
            UnknownJob: none does, or several do.
        """
        found = cast(
            "list[str]", self.redis.zrangebylex(f"{PREFIX}ids", f"[{start}", f"[{start}\xff", start=0, num=3)
        )
        if start in found or len(found) == 1:
            return start if start in found else found[0]
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
        ids = cast("list[str]", self.redis.zrevrange(index, offset, offset + limit - 1))
        pipeline = self.redis.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hgetall(f"{PREFIX}job:{job_id}")
        return [JobRecord.of(fields) for fields in pipeline.execute() if fields]

    def queued(self, for_seconds: float, offset: int, most: int) -> list[str]:
        """Queued jobs, the oldest first, that have been so for a while: `most` of them are looked at."""
        seconds, microseconds = self.redis.time()
        now = seconds + microseconds / 1e6
        last = offset + most - 1
        ids = cast("list[str]", self.redis.zrange(f"{PREFIX}state:{JobState.QUEUED}", offset, last))
        pipeline = self.redis.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hget(f"{PREFIX}job:{job_id}", "queued")
        times = pipeline.execute()
        return [
            job_id
            for job_id, since in zip(ids, times, strict=True)
            if since and now - float(since) >= for_seconds
        ]

    def id_of_key(self, key: str, new_id: str) -> str:
        """The id that an idempotency key stands for: the one it was first given, or `new_id` from now on."""
        name = f"{PREFIX}key:{hashlib.sha256(key.encode()).hexdigest()}"
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
        """The jobs that run on workers of a pool."""
        records = self.newest(JobState.RUNNING, limit=10_000)
        return [record for record in records if record.worker.startswith(f"{pool}@")]

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state."""
        pipeline = self.redis.pipeline(transaction=False)
        for state in JobState:
            pipeline.zcard(f"{PREFIX}state:{state}")
        return dict(zip(JobState, pipeline.execute(), strict=True))

    def attempts(self, job_id: str) -> list[dict[str, Any]]:
        """The attempts that ended without ending the job: attempt, worker, cause, message, ended."""
        return [
            json.loads(item)
            for item in cast("list[str]", self.redis.lrange(f"{PREFIX}attempts:{job_id}", 0, -1))
        ]

    def tally(self) -> dict[str, float]:
        """What the scripts have counted since Redis was empty: name, parted by `|`, -> count or sum."""
        found = cast("dict[str, str]", self.redis.hgetall(f"{PREFIX}tally"))
        return {name: float(count) for name, count in found.items()}

    def longest_wait(self) -> float:
        """Seconds for which the oldest queued job has been queued; 0 if none is."""
        oldest = cast("list[str]", self.redis.zrange(f"{PREFIX}state:{JobState.QUEUED}", 0, 0))
        since = self.redis.hget(f"{PREFIX}job:{oldest[0]}", "queued") if oldest else None
        seconds, microseconds = self.redis.time()
        return max(seconds + microseconds / 1e6 - float(cast("str", since)), 0.0) if since else 0.0

    def leftovers(self) -> dict[str, int]:
        """Sizes of what must be empty when nothing is under way: leases, outbox, delayed."""
        return {name: self.redis.zcard(f"{PREFIX}{name}") for name in ("leases", "outbox", "delayed")}

    def newest_event(self, job_id: str) -> str:
        """The id of the newest event, from which `events` goes on; "0" before the first."""
        entries: Any = self.redis.xrevrange(f"{PREFIX}events:{job_id}", count=1)
        return str(entries[0][0]) if entries else "0"

    def events(self, job_id: str, after: str = "0", block_seconds: float = 0.0) -> list[Entry]:
        """Events of a job after an event id: `{"state": ...}` or `{"progress": JSON}`."""
        return self._stream(f"{PREFIX}events:{job_id}", after, block_seconds)

    def add_log(self, job_id: str, attempt: int, text: str) -> None:
        """Appends output of a running attempt for whoever follows it live."""
        key = f"{PREFIX}log:{job_id}"
        self.redis.xadd(key, {"attempt": str(attempt), "text": text}, maxlen=2000, approximate=True)
        self.redis.expire(key, EVENTS_KEPT)

    def log(self, job_id: str, after: str = "0", block_seconds: float = 0.0) -> list[Entry]:
        """Live output after an id: `{"attempt": ..., "text": ...}`."""
        return self._stream(f"{PREFIX}log:{job_id}", after, block_seconds)

    def _stream(self, key: str, after: str, block_seconds: float) -> list[Entry]:
        # Blocking for longer than the socket waits would look like a dead server.
        block = int(block_seconds * 1000) or None
        answer: Any = self.redis.xread({key: after}, count=500, block=block)
        return [entry for _, entries in answer or () for entry in entries]

    def _run(self, name: str, *arguments: object) -> Any:
        script = self._scripts.get(name)
        if script is None:
            script = self._scripts[name] = self.redis.register_script(_source(name))
        return script(args=[str(argument) for argument in arguments])


def _source(name: str) -> str:
    folder = Path(__file__).parent / "lua"
    allowed = ", ".join(
        f"['{before}>{after}'] = true" for before, afters in TRANSITIONS.items() for after in afters
    )
    bounds = ", ".join(f"{bound:g}" for bound in BOUNDS)
    head = (
        f"local P = '{PREFIX}'\nlocal EVENTS_KEPT = {EVENTS_KEPT}\nlocal ALLOWED = {{ {allowed} }}\n"
        f"local BOUNDS = {{ {bounds} }}\n"
    )
    return head + (folder / "prelude.lua").read_text() + (folder / f"{name}.lua").read_text()


def _time(text: str | None) -> float | None:
    return float(text) if text else None
