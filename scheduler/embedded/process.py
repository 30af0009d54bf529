"""Starting and ending the process of one part."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from scheduler.embedded import guard
from scheduler.embedded.home import cut_log, make_private
from scheduler.embedded.service import Service

#: Linux can tell a process of its parent's death; elsewhere a pipe has to.
KERNEL_TELLS = sys.platform == "linux"


class Process:
    """One running part: its process, and what is needed to end it with all that it started."""

    def __init__(self, service: Service, log: Path, *, kernel_tells: bool = KERNEL_TELLS) -> None:
        """Starts the part in the thread that supervises it: on Linux it dies when that thread ends."""
        service.prepare()
        make_private(service.folder)
        self._service = service
        self._asked = False
        self._pipe: int | None = None
        reading: tuple[int, ...] = ()
        if not kernel_tells:
            read_end, self._pipe = os.pipe()
            reading = (read_end,)
        cut_log(log)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        guarded = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), str(*reading or (-1,))]
        try:
            self._popen = subprocess.Popen(
                [*guarded, *service.command()],
                cwd=service.folder,
                env=service.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which ends the
                # parts in order, and a signal to the group reaches whatever a part has left behind.
                start_new_session=True,
                # Files and sockets that a part makes are its owner's alone, wherever it makes them.
                umask=0o077,
                pass_fds=reading,
            )
        finally:
            for descriptor in (output, *reading):
                os.close(descriptor)

    @property
    def pid(self) -> int:
        """The process id: on Linux the program's own."""
        return self._popen.pid

    def exit_code(self) -> int | None:
        """The exit code of an ended part, negative for a signal; None while it runs."""
        return self._popen.poll()

    def ask_to_end(self) -> None:
        """Sends SIGTERM, once: a second one would tell a worker to drop its jobs at once."""
        if not self._asked and self._popen.poll() is None:
            self._popen.terminate()
        self._asked = True

    def end(self, seconds: float, hurry: threading.Event | None = None) -> int:
        """Ends the part and its group, by force after `seconds` or in a hurry; returns the exit code."""
        self.ask_to_end()
        last = time.monotonic() + seconds
        while self._popen.poll() is None and time.monotonic() < last and not (hurry and hurry.is_set()):
            time.sleep(0.02)
        # The group, even if the part itself is gone by now: it may have left children.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        code = self._popen.wait()
        self.forget()
        return code

    def forget(self) -> None:
        """Lets go of what belongs to an ended part."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        self._service.clean_up()
