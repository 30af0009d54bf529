"""What a job uses of its worker's cache: locked until the job ends, however it ends, so that it stays."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory


class InUse:
    """What one job uses of the cache. The locks are the system's, and end with the process."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], int] = {}  #: descriptors, by what they are of

    def hold(self, path: Path) -> bool:
        """Keeps an entry from being removed, and notes that it was used now; False if it is not there."""
        while True:
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except (FileNotFoundError, NotADirectoryError):
                return False
            with suppress(OSError):  # a file system without locks: only the newest are safe there
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            # Whoever removes has the lock before, so that what is removed meanwhile is seen here.
            if is_at(descriptor, path):
                break
            os.close(descriptor)
        with suppress(OSError):
            os.utime(descriptor)
        about = os.fstat(descriptor)
        if (which := (about.st_dev, about.st_ino)) in self._held:
            os.close(descriptor)
        else:
            self._held[which] = descriptor
        return True

    def enter(self, made: Path, path: Path) -> None:
        """Moves what is whole to its place, unless another job was first; it is held from the beginning."""
        self.hold(made)
        while not self.hold(path):
            try:
                made.rename(path)
            except OSError:
                if not path.exists():
                    raise

    def release(self) -> None:
        """Lets go of everything."""
        while self._held:
            os.close(self._held.popitem()[1])


@contextmanager
def working(folder: Path) -> Iterator[Path]:
    """A folder on the same disk, so that what is whole can be renamed; locked, as it is in use."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".") as name:
        use = InUse()
        use.hold(Path(name))
        try:
            yield Path(name)
        finally:
            use.release()


def is_at(descriptor: int, path: Path) -> bool:
    """Whether this is what the path leads to by now."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
