"""Writing to the store in the background: in order, with patience, one thing at a time."""

import logging
import time
from collections.abc import Callable
from queue import Queue
from threading import Thread
from typing import TypeVar

from scheduler.errors import StoreRefused, Unreachable

logger = logging.getLogger(__name__)
_T = TypeVar("_T")

#: Seconds between tries while the store is away. The job's own limits end the waiting.
_BACKOFF = (0.5, 1.0, 2.0, 5.0)


class Uploads:
    """Tasks done one after the other by one thread; a store that is away is waited for."""

    def __init__(self) -> None:
        # Bounded: a job that makes files faster than they can be stored waits, rather than fill the memory.
        self._queue: Queue[Callable[[], None]] = Queue(maxsize=64)
        self._failure: Exception | None = None
        Thread(target=self._work, daemon=True, name="uploads").start()

    def add(self, task: Callable[[], None]) -> None:
        """Does a task after those before it.

        Raises:
            Exception: what an earlier task failed with.
        """
        self._raise_failure()
        self._queue.put(task)

    def flush(self) -> None:
        """Waits until everything is stored.

        Raises:
            Exception: what a task failed with.
        """
        self._queue.join()
        self._raise_failure()

    def _work(self) -> None:
        while True:
            task = self._queue.get()
            try:
                if self._failure is None:
                    patiently(task)
            except Exception as error:
                self._failure = error
            finally:
                self._queue.task_done()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def patiently(task: Callable[[], _T]) -> _T:
    """Does something with the store, and waits for a store that is away: the job's own limits end it."""
    tries = 0
    while True:
        try:
            return task()
        except (Unreachable, StoreRefused) as error:
            wait = _BACKOFF[min(tries, len(_BACKOFF) - 1)]
            tries += 1
            logger.warning("%s; next try in %s s", error, wait)
            time.sleep(wait)
