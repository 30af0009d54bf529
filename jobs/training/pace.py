"""How many steps one compiled call runs."""

import time
from typing import Any

import keras


class Pace(keras.callbacks.Callback):
    """Keeps the chunks at a length that people find prompt and whose overhead is small.

    A chunk is the time to a stop, so it is short; each costs a few milliseconds outside the compiled
    loop, so it is not too short. Its length never changes what is computed.

    Args:
        steps: length of the first chunk.
        seconds: the time that a chunk should take; 0 keeps `steps` as they are.
    """

    def __init__(self, steps: int = 8, seconds: float = 0.2) -> None:
        super().__init__()
        self.steps = steps
        self._seconds = seconds
        self._last: tuple[int, float] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts anew."""
        self._last = None

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Takes the time."""
        self._started = time.monotonic()
        self._first = int(self.model.step.numpy())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Sets the length of the chunks to come. The first one is left out: it includes compiling."""
        if self._seconds and batch:
            steps = int(self.model.step.numpy()) - self._first
            wanted = steps * self._seconds / max(time.monotonic() - self._started, 1e-6)
            self.steps = max(1, min(round(wanted), 4 * self.steps))
