"""Data sets on a worker: fetched once into the store, once from there to this disk."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from jobs.datasets import named
from jobs.datasets.bundle import unpack
from jobs.datasets.images import ImageSet
from jobs.errors import BadInput
from scheduler.artifacts import ArtifactStore, DataSetKeys
from scheduler.datasets import DataSetInfo, DataSets
from scheduler.errors import UnknownArtifact, UnknownDataSet

logger = logging.getLogger(__name__)


class DataSetCache:
    """Data sets and checkpoints by name, kept on this worker's disk under the digest of their content."""

    def __init__(self, store: ArtifactStore, folder: Path) -> None:
        self._store = store
        self._sets = DataSets(store)
        self._folder = folder / "datasets"

    def load(self, name: str, pins: Mapping[str, str]) -> ImageSet:
        """The images of a data set.

        Args:
            name: its name.
            pins: the digests that the job's data sets had when it was submitted, by name.

        Raises:
            BadInput: there is no such data set, or it cannot be had here.
        """
        if (digest := pins.get(name)) is not None:
            return self._stored(name, digest)
        try:
            return self._stored(name, self._sets.get(name).digest)
        except UnknownDataSet as unknown:
            if name not in named.DATA_SETS:
                raise BadInput(str(unknown)) from None
        images = named.load(name)
        with TemporaryDirectory(prefix="triptych-") as folder:
            file = Path(folder) / "images.npz"
            images.write(file)
            info: DataSetInfo = self._sets.publish(name, images, file)
            self._keep(file, info.digest)
        return images

    def files(self, name: str, pins: Mapping[str, str], fetch: Callable[[Path], None] | None) -> Path:
        """A folder with the files of an upload; fetched, and kept in the store, if there is none.

        Args:
            name: of the upload.
            pins: the digests that the job's uploads had when it was submitted, by name.
            fetch: puts the files into an empty folder.

        Raises:
            BadInput: there is no such upload, or it cannot be had here.
        """
        try:
            digest = pins.get(name) or self._sets.get(name).digest
        except UnknownDataSet as unknown:
            if fetch is None:
                raise BadInput(str(unknown)) from None
            digest = self._fetched(name, fetch)
        folder = self._folder / digest
        if not folder.is_dir():
            self._unpack(name, digest, folder)
        return folder

    def _fetched(self, name: str, fetch: Callable[[Path], None]) -> str:
        with TemporaryDirectory(prefix="triptych-") as folder:
            fetch(Path(folder))
            return self._sets.publish_files(name, Path(folder), only_new=True).digest

    def _unpack(self, name: str, digest: str, folder: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._folder, prefix=".") as work:
            file, half = Path(work) / "files.zip", Path(work) / "files"
            try:
                self._store.get_file(DataSetKeys(name).files(digest), file)
            except UnknownArtifact:
                raise BadInput(f"the store has lost {name!r} ({digest[:12]}): upload it again") from None
            if unpack(file, half) != digest:
                raise BadInput(f"{name!r} is damaged in the store: upload it again")
            # Whole or not at all; of two jobs on this machine that unpack it, one is enough.
            with suppress(OSError):
                half.rename(folder)

    def save(self, name: str, images: ImageSet) -> None:
        """Keeps images in the store as a data set that jobs can name.

        Raises:
            BadInput: there is one of that name already, with other content.
        """
        self._sets.publish_new(name, images)

    def _stored(self, name: str, digest: str) -> ImageSet:
        path = self._path(digest)
        if path.exists():
            # A damaged copy on this disk is fetched again.
            with suppress(BadInput):
                return self._checked(path, name, digest)
        try:
            self._store.get_file(DataSetKeys(name).content(digest), path)
        except UnknownArtifact:
            raise BadInput(
                f"the store has lost the data set {name!r} ({digest[:12]}): upload it again"
            ) from None
        return self._checked(path, name, digest)

    def _checked(self, path: Path, name: str, digest: str) -> ImageSet:
        images = ImageSet.read(path)
        if images.digest != digest:
            path.unlink(missing_ok=True)
            raise BadInput(f"the data set {name!r} is damaged in the store: upload it again")
        return images

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest}.npz"

    def _keep(self, file: Path, digest: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f".{digest}.part"
        partial.write_bytes(file.read_bytes())
        partial.replace(self._path(digest))
