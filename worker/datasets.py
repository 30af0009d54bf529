"""Data sets on a worker: fetched once into the store, once from there to this disk."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from jobs.datasets.bundle import digest_of, unpack
from jobs.datasets.images import named
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.readable import encodable
from jobs.datasets.tables.named import TABLES
from jobs.datasets.tables.table import Table
from jobs.errors import BadInput
from scheduler.artifacts import ArtifactStore
from scheduler.datasets import DataSetInfo, DataSets
from scheduler.errors import UnknownArtifact, UnknownDataSet
from scheduler.keys import DataSetKeys
from worker.cache_use import InUse, working

logger = logging.getLogger(__name__)


class DataSetCache:
    """Data sets and checkpoints by name, kept on this worker's disk under the digest of their content."""

    def __init__(self, store: ArtifactStore, folder: Path, use: InUse | None = None) -> None:
        self._store, self._use = store, use or InUse()
        self._sets = DataSets(store)
        self._folder = folder / "datasets"

    def load(self, name: str, pins: Mapping[str, str]) -> ImageSet:
        """The images of a data set.

        Args:
            name: its name.
            pins: the digests that the job's data sets had when it was submitted, by name.

        Raises:
            BadInput: there is no such data set, or it cannot be loaded here.
        """
        try:
            digest = pins.get(name) or self._sets.get(name).digest
            # The names apart: sets of other names may have the same content, and one copy here.
            return self._stored(name, digest).called(self._sets.names_of(name, digest))
        except UnknownDataSet as unknown:
            if name not in named.DATA_SETS:
                raise BadInput(str(unknown)) from None
        images = named.load(name)
        with working(self._folder) as work:
            file = work / "images.npz"
            images.write(file)
            info: DataSetInfo = self._sets.publish(name, images, file)
            return self._unpacked(file, work / "images", name, info.digest)

    def files(self, name: str, pins: Mapping[str, str], fetch: Callable[[Path], None] | None) -> Path:
        """A folder with the files of an upload; fetched, and kept in the store, if there is none.

        Args:
            name: of the upload.
            pins: the digests that the job's uploads had when it was submitted, by name.
            fetch: puts the files into an empty folder.

        Raises:
            BadInput: there is no such upload, or it cannot be loaded here.
        """
        try:
            digest = pins.get(name) or self._sets.get(name).digest
        except UnknownDataSet as unknown:
            if fetch is None:
                raise BadInput(str(unknown)) from None
            digest = self._fetched(name, fetch)
        folder = self._folder / digest
        if not self._use.hold(folder):
            self._unpack(name, digest, folder)
        return folder

    def table(self, name: str, pins: Mapping[str, str]) -> Table:
        """A table with time; a copy on this disk that is damaged is fetched again.

        Args:
            name: its name.
            pins: the digests that the job's data sets had when it was submitted, by name.

        Raises:
            BadInput: there is no such table, or it cannot be loaded here.
        """
        fetch = TABLES[name].write if name in TABLES else None
        folder = self.files(name, pins, fetch)
        if digest_of(folder) != folder.name:
            rmtree(folder, ignore_errors=True)
            folder = self.files(name, pins, fetch)
        return Table.read(folder)

    def _fetched(self, name: str, fetch: Callable[[Path], None]) -> str:
        with TemporaryDirectory(prefix="triptych-") as folder:
            fetch(Path(folder))
            return self._sets.publish_files(name, Path(folder), only_new=True).digest

    def _unpack(self, name: str, digest: str, folder: Path) -> None:
        with working(self._folder) as work:
            file, half = work / "files.zip", work / "files"
            try:
                self._store.get_file(DataSetKeys(name).files(digest), file)
            except UnknownArtifact:
                raise BadInput(f"the store has lost {name!r} ({digest[:12]}): upload it again") from None
            if unpack(file, half) != digest:
                raise BadInput(f"{name!r} is damaged in the store: upload it again")
            self._use.enter(half, folder)

    def save(self, name: str, images: ImageSet) -> None:
        """Keeps images in the store as a data set that jobs can name.

        Raises:
            BadInput: there is one of that name already, with other content.
        """
        self._sets.publish_new(name, images)

    def _stored(self, name: str, digest: str) -> ImageSet:
        folder = self._images(digest)
        if self._use.hold(folder):
            # A damaged copy on this disk is fetched again.
            with suppress(BadInput):
                return self._checked(folder, name, digest)
            rmtree(folder, ignore_errors=True)
        with working(self._folder) as work:
            file = work / "images.npz"
            try:
                self._store.get_file(DataSetKeys(name).content(digest), file)
            except UnknownArtifact:
                raise BadInput(
                    f"the store has lost the data set {name!r} ({digest[:12]}): upload it again"
                ) from None
            return self._unpacked(file, work / "images", name, digest)

    def _unpacked(self, file: Path, half: Path, name: str, digest: str) -> ImageSet:
        folder = self._images(digest)
        ImageSet.unpack(file, half)
        self._use.enter(half, folder)
        (self._folder / f"{digest}.npz").unlink(missing_ok=True)  # as the version before kept it
        try:
            return self._checked(folder, name, digest)
        except BadInput:
            rmtree(folder, ignore_errors=True)
            raise

    @staticmethod
    def _checked(folder: Path, name: str, digest: str) -> ImageSet:
        images = ImageSet.open(folder)
        if images.digest != digest:
            raise BadInput(f"the data set {name!r} is damaged in the store: upload it again")
        # Of sets that an earlier version has packed; only now, as the digest covers the names.
        names = tuple(map(encodable, images.class_names))
        return images if names == images.class_names else replace(images, class_names=names)

    def _images(self, digest: str) -> Path:
        return self._folder / f"{digest}.images"
