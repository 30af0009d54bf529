"""Checkpoints in a folder."""

from collections.abc import Callable, Iterable
from pathlib import Path

from jobs.checkpoints import file
from jobs.checkpoints.file import Checkpoint
from jobs.checkpoints.keeping import CheckpointName


class CheckpointFolder:
    """A `jobs.checkpoints.kept.Place` on the local disk.

    Args:
        folder: where the files are; made with the first of them.
        spec: tells the digest of the spec that they must belong to; called only when one is read.
    """

    def __init__(self, folder: Path, spec: Callable[[], str]) -> None:
        self._folder = folder
        self._spec = spec

    def listing(self) -> Iterable[str]:
        """The names of all files."""
        return [path.name for path in self._folder.glob("*")]

    def read(self, name: CheckpointName) -> Checkpoint:
        """See `Place.read`."""
        return file.read(self._path(name), self._spec())

    def write(self, name: CheckpointName, checkpoint: Checkpoint) -> None:
        """See `Place.write`."""
        self._folder.mkdir(exist_ok=True)
        file.write(checkpoint, self._path(name))

    def delete(self, name: CheckpointName) -> None:
        """See `Place.delete`."""
        self._path(name).unlink(missing_ok=True)

    def label(self, name: CheckpointName) -> str:
        """The file's name."""
        return str(name)

    def _path(self, name: CheckpointName) -> Path:
        return self._folder / str(name)
