"""How a job is accepted: the store first, then the record, then the message."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from secrets import token_hex
from time import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from jobs import catalog
from jobs.dividing.parts import Wanted, checked_wanted
from jobs.errors import InvalidSpec, TriptychError
from jobs.spec import JobSpec
from scheduler.artifacts import ArtifactStore
from scheduler.errors import Refused, TickTaken, Vanishing
from scheduler.keys import JobKeys
from scheduler.record import NewJob
from scheduler.records import Records
from scheduler.schedules.schedule import Tick
from scheduler.settings import RedisSettings
from scheduler.states import JobState
from scheduler.stored_spec import job_of, stored_spec

if TYPE_CHECKING:
    from celery import Celery

logger = logging.getLogger(__name__)


class Entering:
    """Enters jobs into store, records and queue."""

    def __init__(self, settings: RedisSettings, records: Records, store: ArtifactStore) -> None:
        self._settings, self._records, self._store = settings, records, store

    @cached_property
    def app(self) -> "Celery":
        """The Celery app that messages go through."""
        from scheduler.queue import make_app  # Celery is slow to import, and listing jobs needs none

        return make_app(self._settings)

    def enter(self, job: NewJob, *, reuse: bool) -> str:
        """Accepts a job; the id of the one that does the work.

        Raises:
            InvalidSpec: something that it refers to is being deleted.
            Refused: a server does not take it.
            TickTaken: the tick that it is for was dealt with.
        """
        try:
            return self._enter(job, reuse)
        except Vanishing as error:
            if str(error) or not job.key:
                raise InvalidSpec(f"{job.kind}: it refers to {error}, which is being deleted") from None
            # The job that the key stood for was deleted in this very moment.
            return self._enter(replace(job, id=self._records.id_of(job.key, token_hex(8))), reuse)

    def _enter(self, job: NewJob, reuse: bool) -> str:
        # The store first: what is in the records can be rebuilt from it, not the other way round.
        job = self._store_spec(job)
        try:
            job_id, state = self._records.create(job, reuse=reuse)
        except (Refused, Vanishing, TickTaken):
            # Not accepted, so that it must not be recovered. Of a server that gave no answer nobody knows.
            # The job of a tick may be somebody else's by now.
            if not (job.schedule and self._records.knows(job.id)):
                self._forget(job.id)
            raise
        if job_id != job.id:
            # Somebody submitted the same in this very moment: what only we know of must not be recovered.
            self._store.delete(JobKeys(job.id).spec)
        elif state is JobState.QUEUED:
            self._publish(job_id)
        return job_id

    def _store_spec(self, job: NewJob) -> NewJob:
        """Stores what is asked for; the job of a tick is what the first scheduler to come has stored."""
        key, spec = JobKeys(job.id).spec, stored_spec(job, time())
        if not job.schedule:
            self._store.put_json(key, spec)
        elif not self._store.put_new_json(key, spec):
            return job_of(self._store.get_json(key), {}, job.archived)
        return job

    def _forget(self, job_id: str) -> None:
        try:
            self._store.delete(JobKeys(job_id).spec)
        except TriptychError as error:
            logger.warning("the spec of job %s, which was refused, stays in the store: %s", job_id, error)

    def _publish(self, job_id: str) -> None:
        from kombu.exceptions import OperationalError

        from scheduler.queue import publish

        try:
            publish(self.app, self._records.get(job_id))
            self._records.published(job_id)
        except (OperationalError, RedisError, OSError) as error:
            # Accepted is accepted: the outbox has it, and the scheduler publishes it.
            logger.warning("job %s is left to the scheduler to publish: %s", job_id, error)


def id_of_tick(tick: Tick | None) -> str:
    """The id that the job of a tick has, or "" for any other job."""
    return tick.job_id if tick is not None and tick.moment is not None else ""


def checked_division(spec: JobSpec[Any], parts: Wanted | None, reuse: bool) -> dict[str, Any] | None:
    """How a job is to be divided, as the record has it; None if it is not.

    Raises:
        InvalidSpec: the kind cannot be divided, or not into so many.
    """
    if parts is None:
        return None
    catalog.checked_divisible(spec.kind)
    wanted = checked_wanted(parts)
    return None if wanted == 1 else {"parts": wanted, "reuse": reuse}


def fingerprint_of(spec: JobSpec[Any], inputs: Mapping[str, str]) -> str:
    """Equal for equivalent jobs: spec, code, and data by content."""
    parts = [spec.to_wire(), catalog.code_digest(spec.kind), dict(inputs)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
