"""Starts a program that ends when the process that asked for it ends, even by SIGKILL.

Run by its path with `python -I -S`, before anything of Triptych is imported, so that it costs a few
milliseconds: `guard.py PARENT_PID PIPE_FD PROGRAM ARGUMENT...`.

On Linux the kernel is asked for a signal at the parent's death and the guard becomes the program: same
process id, nothing in between. Elsewhere the guard stays, holds the reading end of a pipe whose writing end
only the parent has, and kills the program when the pipe ends.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Asks the kernel to kill this process when the thread that started it ends (Linux)."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the line above: then no signal comes any more.
    if os.getppid() != parent:
        sys.exit(1)


def watch(pipe: int, command: list[str]) -> int:
    """Runs the program as a child; kills it when the pipe ends; passes signals on; returns its exit code."""
    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: child.send_signal(got))

    def wait_for_the_end() -> None:
        while os.read(pipe, 1):
            pass
        child.kill()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    return child.wait()


def main() -> None:
    """Reads the arguments and becomes, or watches, the program."""
    parent, pipe, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    # Python ignores SIGPIPE, and what is ignored stays so in the program that follows.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if pipe >= 0:
        sys.exit(watch(pipe, command))
    die_with_parent(parent)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
