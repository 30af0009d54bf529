"""What several jobs share and any of them can make: in the store, written once."""

import logging
from collections.abc import Callable
from pathlib import Path

from jobs.checkpoints.sealed import seal, seal_file, unseal, unseal_file
from jobs.names import checked_path
from scheduler.artifacts import ArtifactStore
from scheduler.errors import UnknownArtifact
from scheduler.keys import cache_key
from worker.cache_use import InUse, working
from worker.uploads import patiently

logger = logging.getLogger(__name__)


def cached(store: ArtifactStore, name: str, make: Callable[[], bytes]) -> bytes:
    """The content of a cache entry; made if it is missing or damaged.

    Of two workers that make it at the same time the first to write wins, and both go on with its content.
    """
    key = cache_key(name)
    present, content = _read(store, key)
    if content is not None:
        return content
    made = make()
    if present:
        patiently(lambda: store.put(key, seal(made)))
        return made
    if patiently(lambda: store.put_new(key, seal(made))):
        return made
    return _read(store, key)[1] or made


def _read(store: ArtifactStore, key: str) -> tuple[bool, bytes | None]:
    """Whether there is an entry, and its content unless it is damaged."""
    try:
        sealed = patiently(lambda: store.get(key))
    except UnknownArtifact:
        return False, None
    content = unseal(sealed)
    if content is None:
        logger.warning("%s in the store is damaged: makes it anew", key)
    return True, content


class CachedFiles:
    """Files that several jobs share: in the store, and from then on on this worker's disk.

    Args:
        store: where they are for all workers.
        folder: of this worker's cache.
        use: what the job uses of it.
    """

    def __init__(self, store: ArtifactStore, folder: Path, use: InUse | None = None) -> None:
        self._store, self._folder, self._use = store, folder / "files", use or InUse()

    def get(self, name: str, make: Callable[[Path], None]) -> Path:
        """A local copy of a file; made if it is missing or damaged in the store.

        Of two workers that make it at the same time both store it: what they make is the same.
        """
        path = self._folder / checked_path(name, "cache entry")
        if self._use.hold(path):
            return path
        with working(path.parent) as work:
            half = work / "file"
            if not self._fetched(cache_key(name), half):
                half.unlink(missing_ok=True)
                make(half)
                seal_file(half)
                patiently(lambda: self._store.put_file(cache_key(name), half))
                unseal_file(half)
            self._use.enter(half, path)
        return path

    def _fetched(self, key: str, path: Path) -> bool:
        try:
            patiently(lambda: self._store.get_file(key, path))
        except UnknownArtifact:
            return False
        whole = unseal_file(path)
        if not whole:
            logger.warning("%s in the store is damaged: makes it anew", key)
        return whole
