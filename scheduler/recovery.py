"""What nobody else does: leases that ran out, times that have come, messages that were lost, preemption."""

import logging
from collections.abc import Callable
from threading import Event

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from scheduler.artifacts import ArtifactStore
from scheduler.division import store_end, tell_failed
from scheduler.errors import UnknownJob
from scheduler.leader import Leader
from scheduler.messages import LostMessages, waiting
from scheduler.pools import POOLS
from scheduler.queue import publish
from scheduler.record import JobRecord
from scheduler.records import Records
from scheduler.settings import LeaseSettings
from scheduler.states import JobState
from scheduler.workers import Workers

logger = logging.getLogger(__name__)

#: At most this many jobs of each sort a round, so that a round stays short.
_MOST = 200


def tell_of_loss(app: Celery, records: Records, store: ArtifactStore, job: JobRecord) -> None:
    """Tells log, store and Flower of a job that has lost its worker."""
    logger.warning("job %s lost its worker: %s", job.id, job.state)
    if (whole := store_end(records, store, job)) is not None:
        tell_failed(app, whole)
    with app.events.default_dispatcher() as dispatcher:
        why = job.message or "its worker was lost"
        dispatcher.send("task-retried", uuid=job.id, exception=why, traceback="")


class Recovery:
    """The scheduler's loop. Several may run; one leads."""

    def __init__(
        self,
        records: Records,
        store: ArtifactStore,
        app: Celery,
        settings: LeaseSettings,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """Takes what it works with; `beat` is called after every round in which Redis answered."""
        self._records = records
        self._store = store
        self._app = app
        self._settings = settings
        self._beat = beat
        self._leader = Leader(records.redis, "leader", max(3 * settings.sweep_seconds, 3.0))
        self._workers = Workers(records.redis)
        self._lost_messages = LostMessages(records, settings.outbox_seconds)
        self._waited: dict[str, int] = {}  #: the most urgent priority that waited in a pool last round

    def run(self, stop: Event) -> None:
        """Does a round every `sweep_seconds` until told to stop."""
        while not stop.wait(self._settings.sweep_seconds):
            try:
                if self._leader.leads():
                    self.round()
                self._beat()
            except (RedisError, OSError, OperationalError) as error:
                logger.warning("Redis does not answer, trying again: %s", error)
            except UnknownJob as error:
                # Its record went while the round lasted: somebody has emptied Redis.
                logger.warning("a record is gone: %s", error)

    def round(self) -> None:
        """Does what is due now."""
        sweep = self._records.sweep(_MOST)
        for job_id in sweep.lost:
            tell_of_loss(self._app, self._records, self._store, self._records.get(job_id))
        for job_id in sweep.unpublished:
            self._publish(job_id)
        for job_id in self._lost_messages.step():
            logger.warning("job %s: its message was lost, sending another", job_id)
            self._publish(job_id)
        for pool in POOLS:
            self._preempt(pool)

    def _preempt(self, pool: str) -> None:
        """Lets urgent jobs have the slots of less urgent ones.

        Whatever still waits in a second round waits for want of a free slot. The least urgent of the running
        jobs give way, of these the ones that began last.
        """
        counts = waiting(self._records.redis, pool)
        urgent = next((priority for priority, count in enumerate(counts) if count), None)
        waited, self._waited[pool] = self._waited.get(pool), urgent if urgent is not None else len(counts)
        if urgent is None or waited is None or waited > urgent:
            return
        serving = pool if pool != "any" else "gpu" if self._workers.gpu_lives() else "cpu"
        running = [job for job in self._records.running(serving) if job.priority > urgent]
        # One slot for each that waits, less those that are being cleared already.
        wanted = counts[urgent] - sum(job.preempted for job in running)
        running.sort(key=lambda job: (job.priority, job.attempt_started or 0.0), reverse=True)
        for job in [job for job in running if not job.preempted][: max(wanted, 0)]:
            if self._records.preempt(job.id, job.attempt):
                logger.info("job %s (priority %d) gives way to priority %d", job.id, job.priority, urgent)

    def _publish(self, job_id: str) -> None:
        record = self._records.get(job_id)
        if record.state is JobState.QUEUED:
            publish(self._app, record)
        self._records.published(job_id)
