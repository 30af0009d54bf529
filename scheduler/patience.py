"""Waiting for a job outlives what workers outlive: servers that are away, slow, full or restarting."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from scheduler.errors import AccessRefused, Refused, TimedOut, Unanswered, Unreachable

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between two tries while a server is away; the clients have tried for some seconds each time.
_PAUSE = 0.5


class Patience:
    """How long a wait for one job goes on, whatever the servers do meanwhile."""

    def __init__(self, job_id: str, timeout: float | None = None) -> None:
        self._job_id = job_id
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._told = False

    def left(self, most: float) -> float:
        """Seconds until the timeout, at most so many."""
        if self._deadline is None:
            return most
        return min(most, max(self._deadline - time.monotonic(), 0.01))

    def check(self, state: str) -> None:
        """Ends the wait at its timeout.

        Raises:
            TimedOut: it is over.
        """
        if self._over:
            raise TimedOut(f"job {self._job_id} is {state} after {self._timeout} s; it goes on")

    def outlast(self, ask: Callable[[], T]) -> T:
        """Asks until a server answers.

        Raises:
            Unanswered: none has, up to the timeout.
            AccessRefused: a server refuses password, keys or certificate, which no waiting changes.
        """
        while True:
            try:
                answer = ask()
            except AccessRefused:
                raise
            except (Unreachable, Refused) as error:
                if self._over:
                    raise Unanswered(
                        f"job {self._job_id}: nothing is known of it after {self._timeout} s: {error}"
                    ) from error
                if not self._told:
                    logger.warning("job %s: %s; waiting for it", self._job_id, error)
                self._told = True
                time.sleep(self.left(_PAUSE))
            else:
                self._told = False
                return answer

    @property
    def _over(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline


class Impatience(Patience):
    """For whoever looks once, and is told of a server that is away."""

    def outlast(self, ask: Callable[[], T]) -> T:
        """Asks once."""
        return ask()
