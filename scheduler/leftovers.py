"""What nothing refers to: uploads that were replaced or broken off, pieces, cached objects."""

import time
from dataclasses import dataclass

from scheduler.archive import Archive
from scheduler.artifacts import ArtifactStore, StoredObject
from scheduler.doctor import GRACE, Doctor
from scheduler.errors import UnknownArtifact
from scheduler.keys import sort_of
from scheduler.records import Records
from scheduler.removal import Freed, Removal


@dataclass(frozen=True)
class Leftovers:
    """What was removed, or would be.

    Attributes:
        freed: objects and bytes.
        unknown: jobs of the store that Redis has lost: while there are any, nothing else is removed.
    """

    freed: Freed
    unknown: int = 0


def remove_leftovers(
    records: Records, store: ArtifactStore, older_than: float, *, dry_run: bool = False, grace: float = GRACE
) -> Leftovers:
    """Removes what nothing refers to, and cached objects, which can be made again, if it is old enough.

    Nothing is removed that is younger than an hour: it may be part of something under way.
    """
    found = Doctor(records, store, max(older_than, grace)).look()
    if found.unknown:
        # What these refer to is not known before `triptych recover`.
        return Leftovers(Freed(), len(found.unknown))
    left = [item for items in found.left.values() for item in items if not _stands(store, item)]
    oldest = time.time() - max(older_than, grace)
    left += [item for item in store.under("cache/") if item.modified < oldest]
    if dry_run:
        return Leftovers(Freed(0, len(left), sum(item.size for item in left)))
    for day in found.stale:
        archive = Archive(store)
        archive.tidy(day, {entry.id for entry in archive.entries(day) if archive.get(entry.id) is None})
    if found.stray:
        records.redis.delete(*found.stray)
    return Leftovers(Removal(records, store).clear(left, "leftovers"))


def _stands(store: ArtifactStore, item: StoredObject) -> bool:
    """Whether content has become what a data set's name stands for since the walk."""
    if sort_of(item.key) != "datasets":
        return False
    folder, _, file = item.key.rpartition("/")
    try:
        return bool(store.get_json(f"{folder}/current.json")["digest"] == file.partition(".")[0])
    except UnknownArtifact:
        return False
