"""What several jobs share and any of them can make: in the store, written once."""

import logging
from collections.abc import Callable

from jobs.checkpoints.sealed import seal, unseal
from scheduler.artifacts import ArtifactStore
from scheduler.errors import UnknownArtifact
from scheduler.keys import cache_key
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
