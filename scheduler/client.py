"""Asking for work: `Client().submit(TrainGan(...))`."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from functools import cached_property
from secrets import token_hex
from time import time
from typing import TYPE_CHECKING, Any

from kombu.exceptions import OperationalError
from redis.exceptions import AuthenticationError, RedisError

from jobs import catalog
from jobs.errors import InvalidSpec
from jobs.spec import JobSpec, ResultT
from scheduler.artifacts import ArtifactStore, JobKeys
from scheduler.datasets import DataSets
from scheduler.errors import UnknownJob, Unreachable
from scheduler.inputs import pinned
from scheduler.job import Job
from scheduler.queue import DEFAULT_PRIORITY, PRIORITIES, make_app, publish
from scheduler.records import JobRecord, NewJob, Records, connect
from scheduler.settings import RedisSettings, StoreSettings, load
from scheduler.states import JobState
from scheduler.tls import hint
from scheduler.workers import Workers

if TYPE_CHECKING:
    from celery import Celery

logger = logging.getLogger(__name__)


class Client:
    """Submits jobs and finds them again. Safe to use from several threads.

    Without arguments it uses the servers that the environment, `.env` or the stack of this machine names.

    Raises:
        NotConfigured: it is not known where the servers are.
        Unreachable: Redis does not answer, or refuses the password.
    """

    def __init__(self, redis: RedisSettings | None = None, store: StoreSettings | None = None) -> None:
        self._redis_settings = redis or load(RedisSettings)
        self.store = ArtifactStore(store or load(StoreSettings))
        self.records = Records(connect(self._redis_settings))
        self.datasets = DataSets(self.store)
        self.workers = Workers(self.records.redis)
        self._check_redis()

    @cached_property
    def app(self) -> "Celery":
        """The Celery app that messages go through."""
        return make_app(self._redis_settings)

    def submit(
        self,
        spec: JobSpec[ResultT],
        *,
        priority: int = DEFAULT_PRIORITY,
        start_at: float = 0.0,
        after: Iterable[Job[Any] | str] = (),
        reuse: bool = False,
        key: str | None = None,
    ) -> Job[ResultT]:
        """Accepts a job. Once this returns, the job is finished exactly once, whatever dies meanwhile.

        Args:
            spec: what to compute.
            priority: 0 (most urgent) to 9.
            start_at: not before this time, in seconds since 1970.
            after: jobs that must succeed first; jobs that the spec itself names are waited for anyway.
            reuse: whether a job that comes to the same (same spec, same code, same data) and has succeeded or
                is under way will do as well; then that one is returned.
            key: an idempotency key of one's own: submitting again with the same key returns the same job, so
                that whoever got no answer can safely ask again.

        Raises:
            InvalidSpec: the spec names a job that does not exist, has failed, or is of the wrong kind; or the
                key was used for another spec.
            UnknownDataSet: the spec names a data set that does not exist.
            Unreachable: a server does not answer.
        """
        if priority not in PRIORITIES:
            raise InvalidSpec(f"priority is {priority!r}; allowed are 0 (most urgent) to {PRIORITIES[-1]}")
        spec, inputs = pinned(spec, self.datasets)
        named = self._checked_parents(spec)
        # In full from here on: a worker looks up no beginnings of ids.
        spec = spec.model_copy(update=named)
        parents = [
            *named.values(),
            *(self.get(str(getattr(job, "id", job))).id for job in after),
        ]
        job = NewJob(
            id=self.records.id_of_key(key, token_hex(8)) if key else token_hex(8),
            kind=spec.kind,
            pool=spec.pool,
            priority=priority,
            spec=json.dumps(spec.to_wire()),
            attempts=spec.limits.attempts,
            parents=list(dict.fromkeys(parents)),
            inputs=inputs,
            start_at=start_at,
            fingerprint=_fingerprint(spec, inputs),
        )
        if (existing := self._existing(job, reuse=reuse, keyed=key is not None)) is not None:
            return existing
        # The store first: what is in the records can be rebuilt from it, not the other way round.
        self.store.put_json(
            JobKeys(job.id).spec,
            {
                "id": job.id,
                "spec": spec.to_wire(),
                "pool": job.pool,
                "priority": priority,
                "parents": job.parents,
                "inputs": inputs,
                "start_at": start_at,
                "fingerprint": job.fingerprint,
                "submitted": time(),
            },
        )
        job_id, state = self.records.create(job, reuse=reuse)
        handle: Job[ResultT] = Job(self, job_id)
        if job_id != job.id:
            # Somebody submitted the same in this very moment: what only we know of must not be recovered.
            self.store.delete(JobKeys(job.id).spec)
        elif state is JobState.QUEUED:
            self._publish(handle.record)
        return handle

    def _existing(self, job: NewJob, *, reuse: bool, keyed: bool) -> Job[Any] | None:
        if keyed and self.records.knows(job.id):
            record = self.records.get(job.id)
            if record.fingerprint != job.fingerprint:
                raise InvalidSpec(
                    f"this key was used for job {job.id}, whose spec is another: choose a new key"
                )
            return Job(self, job.id, record)
        if reuse and (job_id := self.records.same(job.fingerprint)) is not None:
            return Job(self, job_id)
        return None

    def get(self, job_id: str) -> Job[Any]:
        """A job by its id, or by enough of its beginning.

        Raises:
            UnknownJob: there is none, or there are several.
        """
        return Job(self, self.records.find(job_id))

    def list(
        self,
        state: JobState | str | None = None,
        kind: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> "list[Job[Any]]":
        """Jobs, the newest first, by state and kind.

        Raises:
            InvalidSpec: there is no such state or kind.
        """
        if state is not None and state not in list(JobState):
            raise InvalidSpec(f"unknown state {state!r}: the states are {', '.join(JobState)}")
        if kind is not None:
            catalog.spec_type(kind)
        found = self.records.newest(JobState(state) if state else None, kind, limit, offset)
        return [Job(self, record.id, record) for record in found]

    def _checked_parents(self, spec: JobSpec[Any]) -> Mapping[str, str]:
        """The full ids of the jobs that the spec names, by field."""
        parents = {}
        for field, job_id, kinds in spec.parents():
            try:
                record = self.get(job_id).record
            except UnknownJob as error:
                raise InvalidSpec(f"{spec.kind}: field {field!r}: {error}") from None
            if kinds and record.kind not in kinds:
                raise InvalidSpec(
                    f"{spec.kind}: field {field!r} takes a job of kind {' or '.join(kinds)}; job "
                    f"{record.id} is a {record.kind}"
                )
            if record.state.final and record.state is not JobState.SUCCEEDED:
                raise InvalidSpec(
                    f"{spec.kind}: field {field!r}: job {record.id} ended as {record.state} and left no model"
                )
            parents[field] = record.id
        return parents

    def _publish(self, record: JobRecord) -> None:
        try:
            publish(self.app, record)
            self.records.published(record.id)
        except (OperationalError, RedisError, OSError) as error:
            # Accepted is accepted: the outbox has it, and the scheduler publishes it.
            logger.warning("job %s is left to the scheduler to publish: %s", record.id, error)

    def _check_redis(self) -> None:
        address = self._redis_settings.redis_url.get_secret_value().rpartition("@")[2]
        try:
            self.records.redis.ping()
        except AuthenticationError:
            raise Unreachable(f"Redis at {address} refuses the password: check TRIPTYCH_REDIS_URL") from None
        except (RedisError, OSError) as error:
            todo = hint(error, self._redis_settings.ca_file)
            todo = todo or "start the stack with `triptych up`, or check TRIPTYCH_REDIS_URL"
            raise Unreachable(
                f"Redis at {address} does not answer ({type(error).__name__}): {todo}"
            ) from error


def _fingerprint(spec: JobSpec[Any], inputs: Mapping[str, str]) -> str:
    """Equal for jobs that would come to the same: spec, code, and data by content."""
    parts = [spec.to_wire(), catalog.code_digest(spec.kind), dict(inputs)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
