"""What a runner hears from its worker: what to run, and that it is to stop."""

import json
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Lock

from jobs.context import StopReason
from worker.runners import Assignment

#: A job and its attempt.
_Which = tuple[str, int]


class Inbox:
    """Filled by one thread, read by another. A wish that comes too late reaches no other job."""

    def __init__(self) -> None:
        self._assignments: SimpleQueue[tuple[Assignment, Path]] = SimpleQueue()
        self._lock = Lock()
        self._wish: tuple[_Which, StopReason] | None = None  #: the newest, which may come before its job
        self._present: tuple[_Which, Callable[[StopReason], None]] | None = None

    def hear(self, line: str) -> None:
        """Takes in one line."""
        said = json.loads(line)
        if "run" in said:
            self._assignments.put((Assignment(**said["run"]), Path(said["folder"])))
            return
        with self._lock:
            self._wish = ((said["job"], said["attempt"]), StopReason(said["stop"]))
            self._pass_on()

    def next(self) -> tuple[Assignment, Path]:
        """Waits for what to run, and in which folder."""
        return self._assignments.get()

    def attend(self, assignment: Assignment, ask_to_stop: Callable[[StopReason], None]) -> None:
        """Passes on the wishes for this job from now on."""
        with self._lock:
            self._present = ((assignment.job_id, assignment.attempt), ask_to_stop)
            self._pass_on()

    def leave(self) -> None:
        """The job is over."""
        with self._lock:
            self._present = self._wish = None

    def _pass_on(self) -> None:
        if self._present and self._wish and self._present[0] == self._wish[0]:
            self._present[1](self._wish[1])
