"""How a job is submitted, and found again."""

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from jobs.dividing.parts import Wanted
from jobs.errors import InvalidSpec
from jobs.spec import JobSpec, ResultT
from scheduler.archive import Archive
from scheduler.artifacts import ArtifactStore
from scheduler.connection import connect
from scheduler.entering import Entering, checked_division, fingerprint_of, id_of_tick
from scheduler.errors import UnknownJob
from scheduler.extending import check_extension, spec_to_extend
from scheduler.indices import digest_of_key
from scheduler.job import Job
from scheduler.models import Models, ModelVersion, maybe_named
from scheduler.parents import checked_parents
from scheduler.pausing import Pools
from scheduler.pools import DEFAULT_PRIORITY, checked_priority
from scheduler.record import JobRecord, NewJob
from scheduler.records import Records
from scheduler.references import targets
from scheduler.removal import Removal
from scheduler.schedules.moments import checked_start
from scheduler.schedules.schedule import Tick
from scheduler.settings import RedisSettings, StoreSettings, load
from scheduler.workers import Workers

if TYPE_CHECKING:
    from celery import Celery

    from scheduler.datasets import DataSets


class Submitting:
    """The part of a client that submits jobs; `Client` is what people hold."""

    def __init__(self, redis: RedisSettings | None = None, store: StoreSettings | None = None) -> None:
        self._redis_settings = redis or load(RedisSettings)
        self.store = ArtifactStore(store or load(StoreSettings))
        self.archive = Archive(self.store)
        self.records = Records(connect(self._redis_settings), archive=self.archive)
        self.removal = Removal(self.records, self.store)
        self.models = Models(self.store)
        self._entering = Entering(self._redis_settings, self.records, self.store)
        self.workers = Workers(self.records.redis)
        self.pools = Pools(self.workers, self.store)
        self.records.redis.ping()

    @cached_property
    def datasets(self) -> "DataSets":
        """The data sets that jobs can name."""
        from scheduler.datasets import DataSets  # brings NumPy, which listing jobs does not need

        return DataSets(self.store, self.removal)

    @property
    def app(self) -> "Celery":
        """The Celery app that messages go through."""
        return self._entering.app

    def submit(
        self,
        spec: JobSpec[ResultT],
        *,
        priority: int = DEFAULT_PRIORITY,
        start_at: float = 0.0,
        after: Iterable[Job[Any] | str] = (),
        reuse: bool = False,
        key: str | None = None,
        parts: Wanted | None = None,
        inputs: Mapping[str, str] | None = None,
        tick: Tick | None = None,
        job_id: str = "",
    ) -> Job[ResultT]:
        """Accepts a job. Once this returns, the job is finished exactly once, whatever dies meanwhile.

        Args:
            spec: what to compute.
            priority: 0 (most urgent) to 9.
            start_at: not before this time, in seconds since 1970; at most ten years from now.
            after: jobs that must succeed first; jobs that the spec itself names are waited for anyway.
            reuse: whether an equivalent job (same spec, same code, same data) that has succeeded or
                is under way will do as well; then that one is returned.
            key: an idempotency key of one's own: submitting again with the same key returns the same job, so
                that whoever got no answer can safely ask again.
            parts: divide it among the workers into so many parts, or "auto": three for each slot of the live
                workers, unless they would be too small to be worth it. The result is the same. With `reuse`,
                parts that a job before has left, which failed or was cancelled, are not computed again.
            inputs: digests of data sets by name, as in the record of an earlier job, whose data are to be
                used; by default what the names stand for now.
            tick: of a schedule that wants the job; there is one job for each.
            job_id: its id, where who asks decides it, as a sweep does; a job that has it is returned.

        Raises:
            InvalidSpec: the kind cannot be divided, or not into so many; the spec names a job that does not
                exist, has failed, or is of the wrong kind; it would begin in more than ten years; or the key
                was used for another spec.
            UnknownDataSet: the spec names a data set that does not exist.
            Unreachable: a server does not answer. Whether the job was accepted is not known then, and asking
                again with a `key` is safe.
            Refused: a server does not take it: its memory or disk is full, or it is a replica.
            TickTaken: the tick was dealt with.
        """
        checked_priority(priority)
        checked_start(start_at)
        if job_id and self.records.knows(job_id):
            return self._handle(job_id)
        division = checked_division(spec, parts, reuse)
        from scheduler.inputs import pinned

        spec, found = pinned(spec, self.datasets)
        inputs = {name: (inputs or {}).get(name, digest) for name, digest in found.items()}
        named, names = checked_parents(spec, self._find)
        # In full from here on: a worker looks up no beginnings of ids.
        spec = spec.model_copy(update={field: record.id for field, record in named.items()})
        if "extends" in named:
            check_extension(spec, inputs, self._handle(named["extends"].id, named["extends"]))
        parents = [*named.values(), *(self.get(str(getattr(job, "id", job))).record for job in after)]
        job = NewJob(
            id=job_id
            or id_of_tick(tick)
            or (self.records.id_of_key(key, token_hex(8)) if key else token_hex(8)),
            kind=spec.kind,
            pool=spec.pool,
            priority=priority,
            spec=json.dumps(spec.to_wire()),
            attempts=spec.limits.attempts,
            parents=list(dict.fromkeys(record.id for record in parents)),
            inputs=inputs,
            names=names,
            start_at=start_at,
            fingerprint=fingerprint_of(spec, inputs),
            division=json.dumps(division) if division else "",
            refers=targets(inputs, parents),
            archived=[record.id for record in parents if record.archived],
            key=digest_of_key(key) if key else "",
            schedule=tick.to_json() if tick else "",
        )
        if (existing := self._existing(job, reuse=reuse, keyed=key is not None)) is not None:
            return existing
        return self._handle(self._entering.enter(job, reuse=reuse))

    def extend(
        self,
        job: Job[ResultT] | str,
        epochs: int,
        *,
        priority: int = DEFAULT_PRIORITY,
        key: str | None = None,
    ) -> Job[ResultT]:
        """Continues a finished training up to more epochs, from its last checkpoint, with the same data.

        The new job ends with the weights, bit for bit, of one that was asked for all the epochs at once.

        Args:
            job: the training, or its id.
            epochs: in all, those that it has done included.
            priority: 0 (most urgent) to 9.
            key: see `submit`.

        Raises:
            UnknownJob: there is no such job.
            InvalidSpec: it is no training, has as many epochs, or something in it, such as the schedule of
                its learning rate, follows from their number; the text says what can be done.
        """
        earlier: Job[ResultT] = self.get(str(getattr(job, "id", job)))
        spec = spec_to_extend(earlier, epochs)
        return self.submit(spec, priority=priority, key=key, inputs=earlier.record.inputs)

    def _pinned(self, spec: JobSpec[Any]) -> tuple[JobSpec[Any], dict[str, str]]:
        from scheduler.inputs import pinned

        checked_parents(spec, self._find)
        return pinned(spec, self.datasets)

    def rerun(self, job: Job[ResultT] | str) -> Job[ResultT]:
        """Submits the spec of a job again, with the data, priority and number of parts that it had.

        Raises:
            UnknownJob: there is no such job.
            UnknownDataSet: a data set that it named was deleted.
        """
        earlier: Job[ResultT] = self.get(str(getattr(job, "id", job)))
        record = earlier.record
        parts = record.division.parts if record.division else None
        return self.submit(earlier.spec, priority=record.priority, parts=parts, inputs=record.inputs)

    def _existing(self, job: NewJob, *, reuse: bool, keyed: bool) -> Job[Any] | None:
        if keyed and self.records.knows(job.id):
            record = self.records.get(job.id)
            if record.fingerprint != job.fingerprint:
                raise InvalidSpec(
                    f"this key was used for job {job.id}, whose spec is another: choose a new key"
                )
            return self._handle(job.id, record)
        if reuse and (job_id := self.records.same(job.fingerprint)) is not None:
            return self._handle(job_id)
        return None

    def get(self, job_id: str) -> Job[Any]:
        """A job by its id, by enough of its beginning, or by the name of a model (`digits@production`).

        Raises:
            UnknownJob: there is none, or there are several.
        """
        return self._handle(self._version(job_id)[0])

    def _find(self, text: str) -> tuple[JobRecord, ModelVersion | None]:
        found, version = self._version(text)
        return self._handle(found).record, version

    def _version(self, text: str) -> tuple[str, ModelVersion | None]:
        """The id of a job, and the version of a model that it was found by, if it was."""
        if self.records.knows(text) or not maybe_named(text):
            return self.records.find(text), None
        if "@" in text or self.models.has(text):
            version = self.models.find(text)
            return version.job, version
        raise UnknownJob(f"there is no job {text!r}, and no model of that name; `triptych jobs` lists them")

    def _handle(self, job_id: str, record: JobRecord | None = None) -> Job[Any]:
        return Job(self.records, self.store, job_id, record)
