"""How runner processes come about: by a program that is begun anew, or as copies of one that has begun."""

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock

from scheduler.greetings import Filter, uses_card
from worker.runners import Ends, RunnerProcess

logger = logging.getLogger(__name__)

#: Seconds that a template may take to import and fork. TensorFlow takes 5 to 20, on a busy machine.
_PATIENCE = 300.0
#: What a template is asked: for a copy, with three descriptors; or, once, how one has ended.
FORK, STATUS = b"fork", b"status"
#: Its answer where an import has begun to use what does not survive a fork.
UNFIT = b"unfit"
#: Bytes of the longest question or answer.
LONGEST = 64


class CannotFork(OSError):
    """A template has ended, or cannot be copied; runners have to be begun anew.

    Attributes:
        ever: whether another template could not, either.
    """

    def __init__(self, why: str, *, ever: bool) -> None:
        super().__init__(why)
        self.ever = ever


def can_fork(environment: Mapping[str, str]) -> bool:
    """Whether runners with this environment can be copies: on Linux, and without a graphics card.

    Apple's libraries do not survive a fork, nor does what belongs to a card once it is in use.
    """
    if may_use_card(environment) or not hasattr(os, "pidfd_open"):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:  # an old kernel, or a container that forbids it
        return False
    return True


def may_use_card(environment: Mapping[str, str]) -> bool:
    """Whether TensorFlow may find a graphics card in a process with this environment."""
    return environment.get("CUDA_VISIBLE_DEVICES") != "-1" and uses_card()


class Spawn:
    """Begins the program of runners anew for each of them."""

    def __init__(
        self, imports: tuple[str, ...], environment: Mapping[str, str], inherited: tuple[int, ...] = ()
    ) -> None:
        self._command = [sys.executable, "-m", "worker.runner"]
        self._imports = imports
        self._environment = environment
        self._inherited = inherited

    def __call__(self, ends: Ends) -> RunnerProcess:
        """A process, at once; it imports what it needs before it listens."""
        return subprocess.Popen(
            [*self._command, str(ends.saying), *self._imports],
            stdin=ends.hearing,
            stdout=ends.output,
            stderr=subprocess.STDOUT,
            env=_environment(self._environment),
            pass_fds=(ends.saying, *self._inherited),
            # A group of its own: Ctrl-C at the stack is not for it, and its children end with it.
            start_new_session=True,
        )


class Template:
    """A process that has imported what runners need, and is copied for each of them: see `worker.template`.

    It must be started by a thread that lives as long as the worker, since it ends with that thread, and all
    runners with it.
    """

    def __init__(
        self, imports: tuple[str, ...], environment: Mapping[str, str], inherited: tuple[int, ...] = ()
    ) -> None:
        self._lock = Lock()
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_PATIENCE)
        with its, tempfile.TemporaryFile() as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "worker.template", str(its.fileno()), *imports],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(environment),
                pass_fds=(its.fileno(), *inherited),
                start_new_session=True,
            )
            self._output = os.dup(output.fileno())

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def __call__(self, ends: Ends) -> RunnerProcess:
        """A copy of it; waits until it has imported everything.

        Raises:
            CannotFork: it has ended, or cannot be copied.
            OSError: the system has no process to give.
        """
        answer = self._ask(FORK, ends.hearing, ends.output, ends.saying)
        with self._lock:
            self._pass_on_output()
        if answer == UNFIT:
            raise CannotFork("an import has begun to compute, which a copy does not survive", ever=True)
        if (pid := int(answer)) < 0:
            raise OSError(-pid, os.strerror(-pid))
        return Forked(pid, self)

    def status(self, pid: int) -> int:
        """How a copy that has ended did so. Its id may be another process's from now on."""
        try:
            return int(self._ask(STATUS + b" " + str(pid).encode()))
        except CannotFork:
            return -signal.SIGKILL  # as the system did when this one ended

    def close(self) -> None:
        """Ends it, and all its copies."""
        self._process.kill()
        self._process.wait()
        self._socket.close()
        with self._lock:
            self._pass_on_output()

    def _ask(self, question: bytes, *descriptors: int) -> bytes:
        with self._lock:
            try:
                socket.send_fds(self._socket, [question], descriptors)
                answer = self._socket.recv(LONGEST)
            except OSError as error:
                answer = b""
                why: object = error
            else:
                why = "it has ended"
        if not answer:
            self._process.kill()  # whatever it does: nobody can tell any more which answer belongs to what
            raise CannotFork(f"the template of runners does not answer: {why}", ever=False)
        return answer

    def _pass_on_output(self) -> None:
        """What it printed while it imported, once."""
        output, self._output = self._output, -1
        if output < 0:
            return
        with os.fdopen(output, "rb") as printed:
            printed.seek(0)
            if text := Filter(card=False).passed(printed.read(), last=True).decode(errors="replace").strip():
                logger.info("while imports were made: %s", text)


class Forked:
    """The process of a runner that is a copy of a template."""

    def __init__(self, pid: int, template: Template) -> None:
        """Takes hold of a new copy. Its id is no other process's until `template` has said how it ended."""
        self.pid = pid
        self.returncode: int | None = None
        self._template = template
        self._lock = Lock()
        self._handle = os.pidfd_open(pid)
        weakref.finalize(self, os.close, self._handle)

    def poll(self) -> int | None:
        """How it ended, or None."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits until it has ended, and says how: the exit code, or the signal's number below zero.

        Raises:
            TimeoutExpired: it runs on.
        """
        waiting = select.poll()
        waiting.register(self._handle, select.POLLIN)
        if self.returncode is None and not waiting.poll(None if timeout is None else timeout * 1000):
            raise subprocess.TimeoutExpired("a runner", timeout or 0.0)
        with self._lock:
            if self.returncode is None:
                self.returncode = self._template.status(self.pid)
        return self.returncode


def _environment(besides: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **besides, "PYTHONUNBUFFERED": "1"}
