"""The bound of a worker's cache: what was not used for the longest time goes, and never what a job uses."""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from shutil import disk_usage, rmtree
from threading import Event, Thread

from scheduler.settings import WorkerSettings
from worker.cache_use import is_at
from worker.memory import size

logger = logging.getLogger(__name__)

#: Seconds between two looks.
_PAUSE = 10.0
#: Share of the disk that the cache may have where nothing is set: the rest is for jobs, and for others.
_SHARE = 4
#: Seconds in which what is being made need not be locked: a worker of the version before locks nothing.
_GRACE = 24 * 3600.0


def bound(settings: WorkerSettings) -> int:
    """Bytes that the cache may have."""
    if settings.cache_size is not None:
        return settings.cache_size
    folder = settings.cache.absolute()
    return disk_usage(next(each for each in (folder, *folder.parents) if each.exists())).total // _SHARE


@dataclass(frozen=True)
class _Entry:
    path: Path
    bytes: int
    used: float  #: when a job has last begun to use it, in seconds since 1970


class CacheBound:
    """Keeps a cache within its bound. Several workers may share the folder.

    Args:
        folder: of the cache.
        most: bytes that it may have; what running jobs use may be more.

    Attributes:
        most: the same.
        bytes: that it has had when it was last looked at.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self.most, self.bytes = folder, most, 0
        self._sizes: dict[tuple[int, int], int] = {}

    def start(self, stop: Event) -> None:
        """Looks now and then, in the background, until told to stop."""
        Thread(target=self._run, args=(stop,), daemon=True, name="cache").start()

    def _run(self, stop: Event) -> None:
        while True:
            try:
                self.look()
            except OSError as error:
                logger.warning("the cache in %s is looked at later: %s", self._folder, error)
            if stop.wait(_PAUSE):
                return

    def look(self) -> None:
        """Removes what is too much, the longest unused first."""
        self._remove_halves()
        entries = sorted(self._entries(), key=lambda entry: (entry.used, entry.path))
        total, removed, freed = sum(entry.bytes for entry in entries), 0, 0
        for entry in entries:
            if total - freed <= self.most:
                break
            if _remove(entry.path):
                removed, freed = removed + 1, freed + entry.bytes
        self.bytes = total - freed
        if removed:
            logger.info(
                "the cache in %s: %d entries, %s, that were unused for longest are gone; %s of %s are left",
                *(self._folder, removed, size(freed), size(self.bytes), size(self.most)),
            )

    def _entries(self) -> Iterator[_Entry]:
        sizes = {}
        for path in self._paths():
            with suppress(OSError):  # removed meanwhile
                about = path.lstat()
                which = (about.st_dev, about.st_ino)
                # What is in its place does not change any more.
                sizes[which] = self._sizes[which] if which in self._sizes else _bytes_of(path)
                yield _Entry(path, sizes[which], about.st_mtime)
        self._sizes = sizes

    def _paths(self) -> Iterator[Path]:
        """Each data set is one entry, and each of the other files."""
        yield from (path for path in _children(self._folder / "datasets") if not _is_half(path))
        for folder, below, files in os.walk(self._folder / "files"):
            below[:] = [name for name in below if not name.startswith(".")]
            yield from (Path(folder) / name for name in files)

    def _remove_halves(self) -> None:
        """What was being made by a job that was killed."""
        for folder in (self._folder / "datasets", *_folders(self._folder / "files")):
            for path in _children(folder):
                with suppress(OSError):
                    if _is_half(path) and time.time() - path.lstat().st_mtime > _GRACE:
                        _remove(path)


def _remove(path: Path) -> bool:
    """Removes an entry; False if a job uses it, or it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not is_at(descriptor, path):
            return False
        if path.is_dir():
            # In one step: a job finds all of it, or nothing.
            gone = path.with_name(f".gone-{token_hex(8)}")
            path.rename(gone)
            rmtree(gone, ignore_errors=True)
        else:
            path.unlink()
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _is_half(path: Path) -> bool:
    return path.name.startswith(".")


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _folders(folder: Path) -> Iterator[Path]:
    for path, below, _ in os.walk(folder):
        below[:] = [name for name in below if not name.startswith(".")]
        yield Path(path)


def _bytes_of(path: Path) -> int:
    if not path.is_dir():
        return path.lstat().st_size
    return sum((Path(folder) / name).lstat().st_size for folder, _, files in os.walk(path) for name in files)
