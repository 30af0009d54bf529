"""The whole stack on one machine: up, down, and how it is."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from scheduler.embedded import secrets
from scheduler.embedded.home import Home, cut_log, write_private
from scheduler.embedded.lock import held, holder
from scheduler.embedded.parts import make_plan
from scheduler.embedded.python_parts import FLOWER_USER
from scheduler.embedded.status import PartStatus, StackStatus, read_parts, write_parts
from scheduler.embedded.supervisor import Supervisor
from scheduler.errors import StackError

logger = logging.getLogger("scheduler.embedded")

#: Longer than all parts together may take to end by themselves.
LONGEST_END = 120.0
#: Parts of a stack whose supervisor was killed end within milliseconds; nothing is gained by waiting longer.
LEFTOVERS_END = 5.0


class Stack:
    """The stack of one home, the user's own by default."""

    def __init__(self, root: Path | None = None) -> None:
        self.home = Home(root)

    def up(self, on_ready: Callable[[StackStatus], None] | None = None) -> None:
        """Starts everything and stays until Ctrl-C, SIGTERM or `down`; a second Ctrl-C ends it at once.

        Raises:
            StackError: it is already running, or cannot run; the text says what to do.
        """
        self.home.prepare()
        with held(self.home.lock), self._logging(), _signals() as (stop, hurry):
            self._forget_the_last_one()
            plan = make_plan(self.home)
            supervisor = Supervisor(plan.stages, self.home, self._report)
            try:
                if supervisor.start(stop):
                    lines = [f"{name}={value}\n" for name, value in plan.variables.items()]
                    write_private(self.home.stack_file, "".join(lines))
                    logger.info("ready")
                    if on_ready is not None:
                        on_ready(self.status())
                    supervisor.watch(stop)
            except OSError as error:
                raise StackError(f"the stack in {self.home.root} cannot go on: {error.strerror}") from None
            finally:
                # First of all: no new client comes to servers that are about to end.
                self.home.stack_file.unlink(missing_ok=True)
                supervisor.end(hurry)
                self.home.state.unlink(missing_ok=True)
                logger.info("ended")

    def up_detached(self) -> StackStatus:
        """Starts everything in the background and returns when it is ready.

        Raises:
            StackError: it is already running, or cannot run; the text says what to do.
        """
        # Here already, for its errors and for the log.
        self.home.prepare()
        reading, writing = os.pipe()
        command = [sys.executable, "-P", "-m", "scheduler.embedded", str(self.home.root), str(writing)]
        with os.fdopen(reading, encoding="utf-8") as answer:
            try:
                with self._log_file.open("ab") as log:
                    subprocess.run(
                        command,
                        check=False,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        pass_fds=(writing,),
                        start_new_session=True,
                    )
            finally:
                os.close(writing)
            try:
                # Ends when the other side says something, or is gone.
                said = answer.read()
            except KeyboardInterrupt:
                self.down()
                raise
        if said != "ready":
            raise StackError(said or f"the stack ended at its start; see {self._log_file}")
        return self.status()

    def down(self) -> bool:
        """Ends everything and returns when it has ended; False if nothing was running.

        Raises:
            StackError: it belongs to another user, or does not end.
        """
        pid = holder(self.home.lock)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            try:
                os.kill(pid, signal.SIGTERM)
            except PermissionError:
                raise StackError(f"the stack in {self.home.root} belongs to another user") from None
        end = time.monotonic() + LONGEST_END
        while holder(self.home.lock) == pid:
            if time.monotonic() > end:
                raise StackError(f"the stack (process {pid}) does not end: `kill -9 {pid}` ends all of it")
            time.sleep(0.1)
        return True

    def status(self) -> StackStatus:
        """How the stack is now, as its supervisor last saw it."""
        pid = holder(self.home.lock)
        parts = read_parts(self.home.state) if pid is not None else ()
        return StackStatus(
            home=self.home.root,
            pid=pid,
            parts=parts,
            flower_url=next((part.address for part in parts if part.name == "flower"), ""),
            flower_user=FLOWER_USER,
            flower_password_file=secrets.flower_password_file(self.home.secrets),
            logs=self.home.logs,
        )

    @property
    def _log_file(self) -> Path:
        return self.home.log("stack")

    def _report(self, parts: tuple[PartStatus, ...]) -> None:
        try:
            write_parts(self.home.state, parts)
        except OSError as error:
            # A full disk must not end a stack that could go on once there is space.
            logger.warning("cannot write %s: %s", self.home.state, error.strerror)

    def _forget_the_last_one(self) -> None:
        """Waits for the parts of a killed supervisor to be gone, and removes what it left."""
        self.home.stack_file.unlink(missing_ok=True)
        end = time.monotonic() + LEFTOVERS_END
        pids = [part.pid for part in read_parts(self.home.state) if part.pid is not None]
        while any(_is_alive(pid) for pid in pids) and time.monotonic() < end:
            time.sleep(0.05)
        self.home.state.unlink(missing_ok=True)

    @contextmanager
    def _logging(self) -> Iterator[None]:
        cut_log(self._log_file)
        handler = logging.FileHandler(self._log_file)
        self._log_file.chmod(0o600)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logger.addHandler(handler)
        before, logger.propagate = logger.propagate, False
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.propagate = before
            logger.removeHandler(handler)
            handler.close()


@contextmanager
def _signals() -> Iterator[tuple[threading.Event, threading.Event]]:
    """(stop, hurry): the first signal sets the one, a second the other."""
    stop, hurry = threading.Event(), threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        (hurry if stop.is_set() else stop).set()

    if threading.current_thread() is not threading.main_thread():
        raise StackError("the stack can only be supervised by the main thread of a process")
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        # The terminal is gone; unless `nohup` said that this should not matter.
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield stop, hurry
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
