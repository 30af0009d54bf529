"""Writing to the store in the background: with patience, in order where the order matters."""

import logging
import time
from collections.abc import Callable
from queue import Queue
from threading import Thread
from typing import TypeVar

from scheduler.errors import StoreRefused, Unreachable

logger = logging.getLogger(__name__)
_T = TypeVar("_T")
_Task = Callable[[], None]

#: Seconds between tries while the store is away. The job's own limits end the waiting.
_BACKOFF = (0.5, 1.0, 2.0, 5.0)
#: Tasks under way at once, of those that may be: the store answers several in the time of one, and more
#: threads than this only wait for each other (docs/decisions.md).
_BESIDE = 4


class Uploads:
    """Tasks done by threads of their own; a store that is away is waited for.

    What is added with `add` comes after all that was added before, and before all that is added after. What
    is added with `beside`, one after the other, is done side by side.
    """

    def __init__(self) -> None:
        # Bounded: a job that makes files faster than they can be stored waits, rather than fill the memory.
        self._queue: Queue[tuple[_Task, str] | None] = Queue(maxsize=64)
        self._side: Queue[_Task | None] = Queue(maxsize=_BESIDE)
        self._keys: set[str] = set()  #: that the tasks at the side write, or have written
        self._failure: Exception | None = None
        # Begun when there is something for them: a job of a few milliseconds has no time for idle threads.
        self._worker: Thread | None = None
        self._helpers: list[Thread] = []

    def add(self, task: _Task) -> None:
        """Does a task after those before it.

        Raises:
            Exception: what an earlier task failed with.
        """
        self._add(task, "")

    def beside(self, key: str, task: _Task) -> None:
        """Writes an object, at the same time as others that are added before and after in this way.

        Args:
            key: what it writes; of one key, the last stands.
            task: does it.

        Raises:
            Exception: what an earlier task failed with.
        """
        self._add(task, key)

    def flush(self) -> None:
        """Waits until everything is stored.

        Raises:
            Exception: what a task failed with.
        """
        if self._worker is not None:
            self.add(lambda: None)  # which comes after all that is done side by side
            self._queue.join()
        self._raise_failure()

    def close(self) -> None:
        """Ends the threads, once they have done what was added."""
        if self._worker is not None:
            self._queue.put(None)
            self._worker.join()
        for helper in self._helpers:
            helper.join()

    def _add(self, task: _Task, key: str) -> None:
        self._raise_failure()
        if self._worker is None:
            self._worker = _begun(self._work, "uploads")
        self._queue.put((task, key))

    def _work(self) -> None:
        while (found := self._queue.get()) is not None:
            task, key = found
            if not key or key in self._keys:
                self._side.join()
                self._keys.clear()
            if key:
                self._keys.add(key)
                if len(self._helpers) < _BESIDE:
                    self._helpers.append(_begun(self._work_beside, "uploads-beside"))
                self._side.put(task)
            else:
                self._try(task)
            self._queue.task_done()
        for _ in self._helpers:
            self._side.put(None)

    def _work_beside(self) -> None:
        while (task := self._side.get()) is not None:
            self._try(task)
            self._side.task_done()

    def _try(self, task: _Task) -> None:
        if self._failure is not None:
            return
        try:
            patiently(task)
        except Exception as error:
            self._failure = self._failure or error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _begun(work: Callable[[], None], name: str) -> Thread:
    # A daemon: a store that never comes back must not keep the process from ending.
    thread = Thread(target=work, daemon=True, name=name)
    thread.start()
    return thread


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
