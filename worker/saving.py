"""How often a job's checkpoints are saved, as far as it is left to the worker."""

import time
from collections.abc import Callable

#: A save that took this many seconds or more is followed by so many times as long without a periodic one, at
#: most these seconds: a store that was slow for once must not leave a job without checkpoints.
_LONG_SAVE, _REST, _LONGEST_REST = 1.0, 30.0, 600.0


class Saving:
    """Counts checkpoints that are handed over and stored, and how long that takes.

    Serialising and uploading take processors from training: a gigabyte every 30 s would cost a quarter of it
    where the store is on the same machine (docs/decisions.md).
    """

    def __init__(self) -> None:
        self._handed, self._stored = 0, 0  # each counted by one thread
        self._rests_until = 0.0

    @property
    def busy(self) -> bool:
        """Whether a periodic checkpoint is better skipped: one is being saved, or cost much just now."""
        return self._handed > self._stored or time.monotonic() < self._rests_until

    def hand_over(self) -> None:
        """Counts one that is going to be stored."""
        self._handed += 1

    def timed(self, store: Callable[[], object]) -> None:
        """Stores one that was handed over."""
        began = time.monotonic()
        store()
        took = time.monotonic() - began
        rest = min(_REST * took, _LONGEST_REST) if took >= _LONG_SAVE else 0.0
        self._rests_until = time.monotonic() + rest
        self._stored += 1
