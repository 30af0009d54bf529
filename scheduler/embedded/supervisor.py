"""Starts the parts of the stack, starts again what ends by itself, and ends all of it in order."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from scheduler.embedded.home import Home, cut_log, last_line
from scheduler.embedded.process import Process
from scheduler.embedded.service import Service
from scheduler.embedded.status import PartState, PartStatus
from scheduler.errors import StackError

logger = logging.getLogger(__name__)

#: How often it looks at its parts.
PULSE = 0.2
#: The pause before a part is started again doubles from the first to the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
#: A part that ran for so long was well: its next end is not counted as a repetition.
WELL_AFTER = 60.0


class Part:
    """One service and its present process."""

    def __init__(self, service: Service, home: Home) -> None:
        self.service = service
        self.log = home.log(service.name)
        self.process: Process | None = None
        self.state = PartState.STOPPED
        self.restarts = 0
        self._pause = FIRST_PAUSE / 2
        self._started = self._due = 0.0

    def start(self) -> None:
        """Starts the process; on Linux it lives no longer than the thread that calls this."""
        self._started = time.monotonic()
        self.process = Process(self.service, self.log)
        self.state = PartState.STARTING

    def look(self) -> None:
        """Notices an end, an answer, and when it is time to start again."""
        now = time.monotonic()
        if self.process is None:
            if self.state is PartState.RESTARTING and now >= self._due:
                self._start_again()
        elif (code := self.process.exit_code()) is not None:
            self.process.end(0)
            self.process = None
            self._plan(f"ended by itself (exit code {code})")
        elif self.state is PartState.STARTING and self.service.ready():
            self.state = PartState.READY
            if self.restarts:
                logger.info("%s is ready again", self.service.name)

    def _start_again(self) -> None:
        self.restarts += 1
        try:
            self.start()
        except OSError as error:
            # A full disk, perhaps: whoever frees it should not have to start the stack again as well.
            self._plan(f"could not be started ({error.strerror})")

    def _plan(self, what: str) -> None:
        well = time.monotonic() - self._started > WELL_AFTER
        pause = FIRST_PAUSE if well else min(self._pause * 2, LONGEST_PAUSE)
        self._pause = pause
        self._due = time.monotonic() + pause
        self.state = PartState.RESTARTING
        logger.warning("%s %s; starting it again in %g s", self.service.name, what, pause)

    def died_at_start(self) -> str | None:
        """Why it ended before it ever answered, in its own last words."""
        if self.process is None or (code := self.process.exit_code()) is None:
            return None
        words = last_line(self.log) or "it said nothing"
        return f"{self.service.name} ended right at its start (exit code {code}): {words}; see {self.log}"

    def end(self, hurry: threading.Event) -> None:
        """Ends the process, gently unless there is a hurry."""
        if self.process is not None:
            code = self.process.end(self.service.stop_seconds, hurry)
            logger.info("%s ended (exit code %d)", self.service.name, code)
        self.process, self.state = None, PartState.STOPPED

    @property
    def status(self) -> PartStatus:
        """What is known of it."""
        pid = self.process.pid if self.process else None
        return PartStatus(self.service.name, self.state, pid, self.service.address, self.restarts)


class Supervisor:
    """All parts: stages start one after the other, the parts of a stage at once, and end the other way."""

    def __init__(
        self,
        stages: Sequence[Sequence[Service]],
        home: Home,
        report: Callable[[tuple[PartStatus, ...]], None],
    ) -> None:
        self._stages = [[Part(service, home) for service in stage] for stage in stages]
        self._parts = [part for stage in self._stages for part in stage]
        self._report = report
        self._reported: tuple[PartStatus, ...] = ()

    def start(self, stop: threading.Event) -> bool:
        """Starts all and waits until all are ready; False if `stop` came first.

        Raises:
            StackError: a part ended, or did not answer in time.
        """
        for stage in self._stages:
            for part in stage:
                part.start()
            if not self._wait(stage, stop):
                return False
        return True

    def watch(self, stop: threading.Event) -> None:
        """Keeps all parts running until `stop`."""
        while not stop.wait(PULSE):
            for part in self._parts:
                part.look()
                cut_log(part.log)
            self._tell()

    def end(self, hurry: threading.Event) -> None:
        """Ends all; `hurry` may come while it waits."""
        for stage in reversed(self._stages):
            # All of a stage are asked before the first is waited for.
            for part in stage:
                if part.process is not None:
                    part.process.ask_to_end()
            for part in stage:
                part.end(hurry)
            self._tell()

    def _wait(self, stage: list[Part], stop: threading.Event) -> bool:
        end = time.monotonic() + max(part.service.start_seconds for part in stage)
        while any(part.state is not PartState.READY for part in stage):
            self._tell()
            if stop.wait(PULSE / 4):
                return False
            self._check_all()
            for part in stage:
                if part.state is PartState.STARTING and part.service.ready():
                    part.state = PartState.READY
                elif part.state is PartState.STARTING and time.monotonic() > end:
                    raise StackError(
                        f"{part.service.name} does not answer after {part.service.start_seconds:g} s; "
                        f"see {part.log}"
                    )
        # One that needs nothing but to run may have ended while others were waited for.
        self._check_all()
        self._tell()
        return True

    def _check_all(self) -> None:
        for part in self._parts:
            if reason := part.died_at_start():
                raise StackError(reason)

    def _tell(self) -> None:
        now = tuple(part.status for part in self._parts)
        if now != self._reported:
            self._report(now)
            self._reported = now
