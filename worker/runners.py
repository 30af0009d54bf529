"""Runner processes: started, kept warm, spoken to, ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any, BinaryIO

from jobs.context import StopReason
from worker.scratch import Scratch


@dataclass(frozen=True)
class Assignment:
    """What a runner is told to run."""

    job_id: str
    attempt: int
    spec: Mapping[str, Any]  #: kind included
    inputs: Mapping[str, str]  #: data set name -> digest that it is pinned to


@dataclass(frozen=True)
class Outcome:
    """What a runner says of its end; one that was killed says nothing.

    Attributes:
        status: `succeeded`, `failed` or `stopped`.
        cause: the failure's cause, for `failed`.
        message: the same in a sentence.
    """

    status: str
    cause: str = ""
    message: str = ""


class Runner:
    """One process that runs one job."""

    def __init__(self, imports: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self.imports = imports
        self._scratch = Scratch()
        self.folder = self._scratch.path
        self.log = self.folder / "output.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker.runner", str(self.folder), *imports],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
                # A group of its own: Ctrl-C at the stack is not for it, and its children end with it.
                start_new_session=True,
            )
        self._log_reader: BinaryIO = self.log.open("rb")

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def assign(self, assignment: Assignment) -> None:
        """Tells it what to run."""
        self._say(json.dumps(asdict(assignment)))

    def ask_to_stop(self, reason: StopReason) -> None:
        """Asks it to stop at the next step boundary."""
        self._say(reason)

    def wait(self, seconds: float) -> bool:
        """Waits for its end; whether it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return not self.alive

    def kill(self) -> None:
        """Ends it and its children at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def new_output(self) -> str:
        """What it has printed since the last call."""
        return self._log_reader.read(1 << 16).decode(errors="replace")

    def outcome(self) -> Outcome | None:
        """What it says of its end, or None."""
        try:
            return Outcome(**json.loads((self.folder / "outcome.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def close(self) -> None:
        """Ends it if need be, and removes its folder."""
        self.kill()
        self._log_reader.close()
        if self.process.stdin:
            with suppress(OSError):
                self.process.stdin.close()
        self._scratch.close()

    def _say(self, line: str) -> None:
        # Its end may have been closed by its death, which the supervisor sees anyway.
        with suppress(OSError):
            assert self.process.stdin  # noqa: S101
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()


class RunnerPool:
    """Gives out runners, and keeps spare ones: warm ones, whose slow imports are done, and plain ones."""

    def __init__(
        self, environment: Mapping[str, str], imports: tuple[str, ...], plain: int, warm: int
    ) -> None:
        self._environment = environment
        self._imports = imports  #: of a warm runner: what any kind of job imports slowly
        self._plain = plain
        self._warm = warm if imports else 0
        self._ready: list[Runner] = []
        self._lock = Lock()
        self._closed = False
        # One thread for the worker's whole life starts every runner: Linux tells a child of its parent's
        # death when the thread that started it ends.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="runner-starter")

    def stock(self) -> None:
        """Starts the spare runners."""
        for _ in range(self._plain):
            self._starter.submit(self._add, ())
        for _ in range(self._warm):
            self._starter.submit(self._add, self._imports)

    def take(self, warm: bool) -> Runner:
        """A runner: a spare one if there is one, which is replaced."""
        imports = self._imports if warm else ()
        with self._lock:
            found = next((runner for runner in self._ready if runner.imports == imports), None)
            if found:
                self._ready.remove(found)
        runner = found or self._starter.submit(self._start, imports).result()
        if found:
            self._starter.submit(self._add, imports)
            if not found.alive:  # ended by somebody while it waited
                found.close()
                return self.take(warm)
        return runner

    def close(self) -> None:
        """Ends the spare runners."""
        self._closed = True
        self._starter.shutdown(wait=True, cancel_futures=True)
        for runner in self._ready:
            runner.close()

    def _start(self, imports: tuple[str, ...]) -> Runner:
        return Runner(imports, self._environment)

    def _add(self, imports: tuple[str, ...]) -> None:
        if self._closed:
            return
        runner = self._start(imports)
        with self._lock:
            self._ready.append(runner)
