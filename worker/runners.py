"""Runner processes: started, spoken to, ended, and used again."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from jobs.context import StopReason
from scheduler.greetings import Filter
from scheduler.record import JobRecord
from worker.scratch import Scratch
from worker.shown_log import shown

#: In a runner's folder: what the job prints.
LOG = "output.log"
#: Seconds that a runner may take, once a job is over, to say whether it can be used again.
_TIDYING_SECONDS = 5.0


class RunnerProcess(Protocol):
    """What is asked of a runner's process, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int:
        """Its id, and that of its group."""

    @property
    def returncode(self) -> int | None:
        """How it ended, once `poll` or `wait` has found that it has."""

    def poll(self) -> int | None:
        """How it ended, or None."""

    def wait(self, timeout: float | None = None) -> int:
        """Waits until it has ended, and says how."""


@dataclass(frozen=True)
class Ends:
    """A runner's ends of its pipes, and its log: descriptors that are closed once it has them.

    Attributes:
        hearing: its standard input.
        output: its standard output and error.
        saying: where it answers.
    """

    hearing: int
    output: int
    saying: int


#: Makes a process out of what it is to have.
Start = Callable[[Ends], RunnerProcess]


@dataclass(frozen=True)
class Assignment:
    """What a runner is told to run."""

    job_id: str
    attempt: int
    spec: Mapping[str, Any]  #: kind included
    inputs: Mapping[str, str]  #: data set name -> digest that it is pinned to
    division: Mapping[str, Any] | None = None  #: of a job that is to be divided, how; see `Division`
    divided: bool = False  #: whether its parts are done, and it is to put them together
    part: Mapping[str, Any] | None = None  #: of a part, which rows; see `Part`


def assignment_of(job: JobRecord) -> Assignment:
    """What a runner is told of a job."""
    return Assignment(
        job.id,
        job.attempt,
        job.spec,
        job.inputs,
        division=asdict(job.division) if job.division else None,
        divided=job.parts > 0,
        part=asdict(job.part) if job.part else None,
    )


@dataclass(frozen=True)
class Outcome:
    """What a runner says of a job's end; one that was killed says nothing.

    Attributes:
        status: `succeeded`, `failed`, `stopped` or `lost`.
        cause: the failure's cause, for `failed`.
        message: the same in a sentence.
        logged: bytes of the log that are in the store already.
        line: how far it came, for people.
    """

    status: str
    cause: str = ""
    message: str = ""
    logged: int = -1
    line: str = ""


class Runner:
    """One process. It runs one job, or, of kinds that allow it, one after the other.

    Attributes:
        imports: the modules that it has imported ahead of any job.
        jobs: how many it was told to run.
        folder: of the present job, or the next; nobody but this user can read it.
    """

    def __init__(self, imports: tuple[str, ...], start: Start, card: bool = False) -> None:
        """Starts it.

        Args:
            imports: see above.
            start: makes the process, which imports them.
            card: whether TensorFlow may find a graphics card in it.
        """
        self.imports = imports
        self.jobs = 0
        self.idle_since = time.monotonic()
        self._said, saying = os.pipe()
        hearing, self._telling = os.pipe()
        self._heard = b""
        self._outcome: Outcome | None = None
        self._told: Assignment | None = None
        self._open_folder()
        try:
            with self.log.open("wb") as output:
                self.process = start(Ends(hearing, output.fileno(), saying))
        except BaseException:
            self._close_pipes()
            self._close_folder()
            raise
        finally:
            os.close(hearing)
            os.close(saying)
        self._card = card
        self._filter = Filter(self._card)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def assign(self, assignment: Assignment) -> None:
        """Tells it what to run."""
        self.jobs += 1
        self._outcome, self._told = None, assignment
        self._say({"run": asdict(assignment), "folder": str(self.folder)})

    def ask_to_stop(self, reason: StopReason) -> None:
        """Asks it to stop at the next step boundary."""
        assert self._told  # noqa: S101
        # By name: a wish that comes late must not reach the job that follows.
        self._say({"stop": reason, "job": self._told.job_id, "attempt": self._told.attempt})

    def wait(self, seconds: float) -> bool:
        """Waits until it says how its job ended, or ends itself; whether either has happened."""
        if self._outcome is None and (line := self._hear(seconds)) is not None:
            with suppress(ValueError, TypeError):
                self._outcome = Outcome(**json.loads(line))
        return self._outcome is not None or not self.alive

    def outcome(self) -> Outcome | None:
        """What it says of its job's end, or None."""
        return self._outcome

    def can_go_on(self) -> tuple[bool, str]:
        """Whether it can be used again, once a job is over; if not, why, as far as it says so."""
        line = self._hear(_TIDYING_SECONDS)
        if line is None:
            return False, "it did not say that it can be used again"
        why = str(json.loads(line)["spent"])
        return not why and self.alive, why

    def begin_anew(self) -> None:
        """Removes all that the job before has left in its folder, and gives it another."""
        self._close_folder()
        self._open_folder()
        self._filter = Filter(self._card)
        self.idle_since = time.monotonic()

    def kill(self) -> None:
        """Ends it and its children at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def new_output(self) -> str:
        """What it has printed since the last call."""
        # Asked first: what it prints before its end is read in any case.
        ended = self._outcome is not None or not self.alive
        while piece := self._log_reader.read(1 << 16):
            if text := self._filter.passed(piece):
                return text.decode(errors="replace")
        return self._filter.passed(b"", last=True).decode(errors="replace") if ended else ""

    def shown_log(self) -> Path:
        """A copy of all that it has printed, for people: without TensorFlow's greetings."""
        return shown(self.log, self._card)

    def close(self) -> None:
        """Ends it if need be, and removes its folder."""
        self.kill()
        self._close_pipes()
        self._close_folder()

    def _close_pipes(self) -> None:
        os.close(self._telling)
        os.close(self._said)

    def _open_folder(self) -> None:
        self._scratch = Scratch()
        self.folder: Path = self._scratch.path
        self.log = self.folder / LOG
        self.log.touch()
        self._log_reader: BinaryIO = self.log.open("rb")

    def _close_folder(self) -> None:
        self._log_reader.close()
        self._scratch.close()

    def _hear(self, seconds: float) -> bytes | None:
        """The next line that it says, or None: it says nothing in this time, or nothing any more."""
        end = time.monotonic() + seconds
        waiting = select.poll()
        waiting.register(self._said, select.POLLIN)
        while b"\n" not in self._heard:
            if not waiting.poll(max(end - time.monotonic(), 0.0) * 1000):
                return None
            if not (more := os.read(self._said, 1 << 16)):
                # Its end of the pipe is closed: so it has ended, or does in this moment.
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(max(end - time.monotonic(), 0.0))
                return None
            self._heard += more
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def _say(self, what: Mapping[str, Any]) -> None:
        # Its end may have been closed by its death, which the supervisor sees anyway.
        with suppress(OSError):
            line = json.dumps(what).encode() + b"\n"
            while line:
                line = line[os.write(self._telling, line) :]
