"""Knowing that nothing of a worker's former self is alive: a lock that its runners hold as well."""

import fcntl
import hashlib
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Self

_BOOT = Path("/proc/sys/kernel/random/boot_id")
#: Seconds between two tries.
_PAUSE = 0.02


class Seat:
    """The place of one worker, by its name and its Redis, on this machine.

    Every runner inherits the lock, so the kernel frees it only when the worker and all its runners are gone,
    however they ended. Whoever has it need not wait for the leases that its former self held.

    Attributes:
        mark: sets this lock apart from all others; empty if it could not be had, or the system does not tell
            when it was started.
    """

    def __init__(self, name: str, redis_url: str, patience: float) -> None:
        """Takes the lock.

        Args:
            name: of the worker.
            redis_url: where its jobs come from; its password makes no difference.
            patience: seconds to wait for what is left of the former self.
        """
        self.mark = ""
        self._file: BinaryIO | None = None
        with suppress(OSError):
            self._take(f"{redis_url.rpartition('@')[2]}|{name}", patience)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What runners must inherit."""
        return (self._file.fileno(),) if self._file else ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves it, as the end of the process does."""
        if self._file:
            self._file.close()

    def _take(self, whose: str, patience: float) -> None:
        folder = Path(tempfile.gettempdir()) / f"triptych-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
        if about.st_uid != os.getuid() or about.st_mode & 0o077 or folder.is_symlink():
            return  # somebody else has made it, so that nothing in it can be relied on
        file = (folder / f"{hashlib.sha256(whose.encode()).hexdigest()[:32]}.lock").open("a+b")
        end = time.monotonic() + patience
        while not _locked(file):
            if time.monotonic() > end:
                file.close()
                return
            time.sleep(_PAUSE)
        file.seek(0)
        if not (token := file.read()):
            token = token_hex(16).encode()
            file.write(token)
            file.flush()
        self._file = file
        # With the boot: a folder that machines share, or a copied image, must not look like one place.
        if _BOOT.exists():
            self.mark = f"{token.decode()}@{_BOOT.read_text().strip()}"


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
