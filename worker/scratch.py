"""Folders that runners work in, and what a worker that was killed has left of its own."""

import fcntl
import logging
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from shutil import rmtree

logger = logging.getLogger(__name__)

_PREFIX = "triptych-run-"
_LOCK = ".lock"
#: Seconds in which a new folder may not be locked yet.
_GRACE = 60.0


class Scratch:
    """A new folder for temporary files, locked for as long as this process holds it, however it ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = (self.path / _LOCK).open("wb")  # not inherited: a runner may outlive its worker a little
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Removes it."""
        rmtree(self.path, ignore_errors=True)
        self._lock.close()


def sweep() -> None:
    """Removes what nobody holds any more: data and models of a job whose worker was killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # in use, of another user, or gone by now
            if time.time() - path.stat().st_mtime < _GRACE:
                continue
            with (path / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                logger.info("removes %s, which a worker that was killed has left", path)
                rmtree(path, ignore_errors=True)
