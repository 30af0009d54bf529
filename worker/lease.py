"""Keeping the right to run a job, and ending its runner before that right runs out."""

import logging
import time
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Self

from redis.exceptions import RedisError

from scheduler.record import Renewal
from scheduler.records import Records
from scheduler.settings import FENCE, LeaseSettings
from worker.runners import Runner

logger = logging.getLogger(__name__)


class Lease:
    """Held from the claim until the last word on the attempt is said: `with Lease(...) as lease`.

    Two threads. One renews and may have to wait for Redis. The other never waits for anything but the clock:
    a server that takes a question and never answers must not keep the runner alive.

    Attributes:
        latest: what the newest renewal told.
    """

    def __init__(
        self, records: Records, job_id: str, attempt: int, settings: LeaseSettings, claimed: float
    ) -> None:
        """Takes over a lease.

        Args:
            records: the records.
            job_id: the job.
            attempt: the attempt that holds it.
            settings: how long it lasts.
            claimed: when Redis was asked for it, by `time.monotonic`.
        """
        self.latest: Renewal | None = None
        self._records = records
        self._job_id = job_id
        self._attempt = attempt
        self._settings = settings
        # When Redis was asked, not when it answered: the lease began at some time in between.
        self._renewed = claimed
        self._runner: Runner | None = None
        self._lock = Lock()
        self._lost = Event()
        self._released = Event()

    def __enter__(self) -> Self:
        self._begin(self._fence)
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def lost(self) -> bool:
        """Whether another attempt may have begun."""
        return self._lost.is_set()

    def guard(self, runner: Runner) -> None:
        """Ends this runner when the lease is lost, at once if it is."""
        with self._lock:
            self._runner = runner
        if self.lost:
            runner.kill()

    def release(self) -> None:
        """Ends the renewals, and leaves the runner alone from now on: it may be another job's soon."""
        self._released.set()
        with self._lock:
            self._runner = None

    def _begin(self, work: Callable[[], None]) -> None:
        Thread(target=work, daemon=True, name=f"{work.__name__}-{self._job_id}").start()

    def _renew(self) -> None:
        while not (self._released.is_set() or self.lost):
            asked = time.monotonic()
            try:
                renewal = self._records.renew(self._job_id, self._attempt, self._settings.lease_seconds)
            except (RedisError, OSError) as error:
                logger.warning("job %s: the lease could not be renewed: %s", self._job_id, error)
            else:
                if renewal is None:
                    self._lose("the job is no longer this attempt's")
                    return
                self._renewed, self.latest = asked, renewal
            self._released.wait(self._settings.heartbeat_seconds)

    def _fence(self) -> None:
        if self._released.wait(self._settings.heartbeat_seconds):
            return  # over before its first renewal is due, which needs no thread then
        self._begin(self._renew)
        patience = self._settings.lease_seconds * FENCE
        while not self._released.wait(max(self._renewed + patience - time.monotonic(), 0.0)):
            silent = time.monotonic() - self._renewed
            if silent >= patience:
                self._lose(f"Redis has not renewed the lease for {silent:.1f} s")
                return

    def _lose(self, why: str) -> None:
        if self._released.is_set():
            return  # a renewal was under way while the end of the job was told
        logger.warning("job %s: attempt %d gives up: %s", self._job_id, self._attempt, why)
        self._lost.set()
        with self._lock:  # held while it is killed: nobody takes it for another job meanwhile
            if self._runner is not None:
                self._runner.kill()
