"""Telling Redis, every heartbeat, that this worker is alive and what it offers."""

import logging
import os
import socket
import time
from collections.abc import Callable
from secrets import token_hex
from threading import Event, Thread

from redis.exceptions import RedisError

from scheduler.errors import NotConfigured
from scheduler.workers import About, Answer, Workers

logger = logging.getLogger(__name__)

#: Heartbeats, and seconds at least, after which a worker that is silent counts as gone.
_MISSED = 3
_SHORTEST = 3.0


class Presence:
    """Held while a worker lives: `with Presence(...)`. Leaves no record behind at a clean end."""

    def __init__(
        self,
        workers: Workers,
        name: str,
        about: Callable[[], About],
        heartbeat: float,
        hear: Callable[[Answer], None],
        seat: str = "",
    ) -> None:
        """Takes what it works with.

        Args:
            workers: the records.
            name: the worker's name, which no other live one may have.
            about: what to say of the worker, asked at every beat.
            heartbeat: seconds between two beats.
            hear: called with each answer, by the thread that beats.
            seat: where it sits; a former self in the same one need not be waited for.
        """
        self._workers = workers
        self._name = name
        self._about = about
        self._heartbeat = heartbeat
        self._hear = hear
        self._seat = seat
        self._lasts = max(_MISSED * heartbeat, _SHORTEST)
        self._token = token_hex(8)
        self._ended = Event()
        self._thread = Thread(target=self._beat, daemon=True, name="presence")

    def __enter__(self) -> None:
        """Takes the name.

        Raises:
            NotConfigured: another live worker has it.
        """
        # One that was killed a moment ago holds its name until its record runs out.
        patience = time.monotonic() + self._lasts + self._heartbeat
        while (answer := self._try_to_announce()) and answer.other:
            if time.monotonic() > patience:
                raise NotConfigured(
                    f"a worker named {self._name} is alive already ({answer.other}): "
                    "set TRIPTYCH_WORKER_NAME to a name of its own"
                )
            time.sleep(min(self._heartbeat, 0.5))
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        try:
            self._workers.remove(self._name, self._token)
        except (RedisError, OSError) as error:
            logger.warning("worker %s: its record stays until it runs out: %s", self._name, error)

    def _beat(self) -> None:
        warned = False
        while not self._ended.wait(self._heartbeat):
            answer = self._try_to_announce()
            if answer is None:
                continue
            if answer.other and not warned:
                # After a time without Redis. Leases keep the work right; only the lists are confused.
                logger.warning("worker %s: its name was taken by another (%s)", self._name, answer.other)
            warned = bool(answer.other)
            if not answer.other:
                self._hear(answer)

    def _try_to_announce(self) -> Answer | None:
        """What Redis answers; None if it does not."""
        place = f"{socket.gethostname()}, process {os.getpid()}"
        try:
            return self._workers.announce(
                self._name, self._token, place, self._about(), self._lasts, self._seat
            )
        except (RedisError, OSError) as error:
            logger.warning("worker %s: its record could not be renewed: %s", self._name, error)
            return None
