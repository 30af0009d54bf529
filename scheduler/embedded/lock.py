"""One stack in one home: who holds the lock is up, and a killed one holds nothing."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scheduler.errors import StackError

#: Longer than somebody who only asks holds it.
PATIENCE = 0.5


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Holds the lock, with this process's id in the file.

    Raises:
        StackError: another process holds it.
    """
    # The system lets go of it when the process ends, however it ends: no stale lock can be left.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _take(descriptor):
            raise StackError(
                f"the stack in {path.parent} is already running (process {_read(path)}): `triptych status` "
                f"shows it and `triptych down` ends it"
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> int | None:
    """The process that holds the lock, if any."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(path)
    finally:
        os.close(descriptor)
    return None


def _take(descriptor: int) -> bool:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        else:
            return True


def _read(path: Path) -> int:
    """The process id in the file; 0 in the moment between taking the lock and writing it."""
    text = path.read_text().strip()
    return int(text) if text.isdigit() else 0
