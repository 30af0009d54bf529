"""Checkpoints in the artifact store."""

from collections.abc import Iterable
from pathlib import Path

from jobs.checkpoints.file import Checkpoint, DamagedCheckpoint, pieces, read
from jobs.checkpoints.keeping import CheckpointName
from scheduler.artifacts import ArtifactStore
from scheduler.errors import UnknownArtifact
from scheduler.keys import JobKeys
from worker.uploads import patiently


class StoredCheckpoints:
    """A `jobs.checkpoints.kept.Place` in the store; a store that is away is waited for.

    Args:
        store: where they are.
        keys: of their job.
        spec: the digest of the spec that they must belong to.
        folder: on the local disk, for what is read.
    """

    def __init__(self, store: ArtifactStore, keys: JobKeys, spec: str, folder: Path) -> None:
        self._store, self._keys, self._spec = store, keys, spec
        self._path = folder / "resumed.safetensors"

    def listing(self) -> Iterable[str]:
        """The keys of all of them."""
        return patiently(lambda: [item.key for item in self._store.under(self._keys.checkpoints)])

    def read(self, name: CheckpointName) -> Checkpoint:
        """See `Place.read`."""
        try:
            patiently(lambda: self._store.get_file(self.label(name), self._path))
            return read(self._path, self._spec)
        except UnknownArtifact as missing:
            raise DamagedCheckpoint(str(missing)) from missing
        finally:
            self._path.unlink(missing_ok=True)

    def write(self, name: CheckpointName, checkpoint: Checkpoint) -> None:
        """See `Place.write`."""
        patiently(lambda: self._store.put_pieces(self.label(name), pieces(checkpoint)))

    def delete(self, name: CheckpointName) -> None:
        """See `Place.delete`."""
        patiently(lambda: self._store.delete(self.label(name)))

    def label(self, name: CheckpointName) -> str:
        """Its key."""
        return self._keys.checkpoint(name)
