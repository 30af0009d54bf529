"""What nobody else does: leases that ran out, jobs whose time has come, messages that were never sent."""

import logging
from secrets import token_hex
from threading import Event

from celery import Celery
from redis.exceptions import RedisError

from scheduler.queue import POOLS, PRIORITIES, publish
from scheduler.records import PREFIX, Records
from scheduler.settings import LeaseSettings
from scheduler.states import JobState

logger = logging.getLogger(__name__)

#: At most this many jobs of each sort a round, so that a round stays short.
_MOST = 200
_LEADER = f"{PREFIX}leader"


class Recovery:
    """The scheduler's loop. Several may run; one leads."""

    def __init__(self, records: Records, app: Celery, settings: LeaseSettings) -> None:
        self._records = records
        self._app = app
        self._settings = settings
        self._token = token_hex(8)

    def run(self, stop: Event) -> None:
        """Does a round every `sweep_seconds` until told to stop."""
        while not stop.wait(self._settings.sweep_seconds):
            try:
                if self._leads():
                    self.round()
            except (RedisError, OSError) as error:
                logger.warning("Redis does not answer, trying again: %s", error)

    def round(self) -> None:
        """Does what is due now."""
        sweep = self._records.sweep(_MOST)
        for job_id in sweep.lost:
            record = self._records.get(job_id)
            logger.warning("job %s lost its worker: %s", job_id, record.state)
            self._tell_flower(job_id, record.message or "its worker was lost")
        for job_id in sweep.unpublished:
            self._publish(job_id)
        self._publish_lost_messages()

    def _publish(self, job_id: str) -> None:
        record = self._records.get(job_id)
        if record.state is JobState.QUEUED:
            publish(self._app, record)
        self._records.published(job_id)

    def _publish_lost_messages(self) -> None:
        """Wakes workers for jobs that stand as queued in a pool whose queue is empty.

        Their messages were lost between the broker and a worker. While a queue holds messages its workers are
        busy, and a lost one can wait.
        """
        for pool in POOLS:
            if self._waiting_messages(pool) == 0:
                for job_id in self._records.queued(pool, self._settings.outbox_seconds, _MOST):
                    logger.warning("job %s: its message was lost, sending another", job_id)
                    self._publish(job_id)

    def _waiting_messages(self, pool: str) -> int:
        pipeline = self._records.redis.pipeline(transaction=False)
        for priority in PRIORITIES:
            # kombu's name for the list of a priority; the most urgent one has the bare name.
            pipeline.llen(f"{pool}\x06\x16{priority}" if priority else pool)
        return sum(pipeline.execute())

    def _tell_flower(self, job_id: str, why: str) -> None:
        with self._app.events.default_dispatcher() as dispatcher:
            dispatcher.send("task-retried", uuid=job_id, exception=why, traceback="")

    def _leads(self) -> bool:
        held = int(max(3 * self._settings.sweep_seconds, 3.0) * 1000)
        if self._records.redis.set(_LEADER, self._token, nx=True, px=held):
            return True
        if self._records.redis.get(_LEADER) == self._token:
            self._records.redis.pexpire(_LEADER, held)
            return True
        return False
