"""People's own data sets: checked here, kept in the store under the digest of their content."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jobs.datasets.bundle import digest_of
from jobs.datasets.bundle import pack as pack_files
from jobs.datasets.corpora.corpus import CORPUS, Corpus
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.pairs.pairs import PAIRS, Pairs
from jobs.datasets.questions.sets import ABOUT, QuestionSet
from jobs.datasets.tables.table import TABLE, Table
from jobs.errors import BadInput
from jobs.pretrained.files import CONFIG
from jobs.pretrained.sources import SAMPLES
from scheduler.artifacts import ArtifactStore
from scheduler.data_set_info import (
    NAMED,
    info_of,
    info_of_corpus,
    info_of_named,
    info_of_pairs,
    info_of_questions,
    info_of_table,
    kept,
)
from scheduler.data_set_info import DataSetInfo as DataSetInfo
from scheduler.errors import UnknownArtifact, UnknownDataSet
from scheduler.keys import DataSetKeys
from scheduler.removal import Freed, Removal
from scheduler.uploading import Uploading

_SAME = "these very pictures were uploaded before, with other names of files or none, which they keep"


class DataSets(Uploading):
    """The data sets that jobs can name: those that come with Triptych, and one's own."""

    def __init__(self, store: ArtifactStore, removal: Removal | None = None) -> None:
        """Takes the store, and what deletes, where people delete."""
        self._store, self._removal = store, removal

    def publish_files(
        self,
        name: str,
        folder: Path,
        count: int = 0,
        columns: tuple[str, ...] = (),
        *,
        notes: tuple[str, ...] = (),
        only_new: bool = False,
    ) -> DataSetInfo:
        """Stores the files in a folder: a checkpoint if it has a config.json, a table, a corpus, and so on.

        Args:
            name: what specs call it.
            folder: with the files, and nothing else.
            count: rows, or files.
            columns: of texts.
            notes: what was found out or changed when they were taken in.
            only_new: what has the name already stays, and is returned.
        """
        if (folder / TABLE).is_file():
            info = info_of_table(name, digest_of(folder), Table.read(folder))
        elif (folder / ABOUT).is_file():
            info = info_of_questions(name, digest_of(folder), QuestionSet.read(folder))
        elif (folder / PAIRS).is_file():
            info = info_of_pairs(name, digest_of(folder), Pairs.open(folder))
        elif (folder / CORPUS).is_file():
            info = info_of_corpus(name, digest_of(folder), Corpus.open(folder))
        else:
            content = "pretrained" if (folder / CONFIG).is_file() else "texts"
            info = DataSetInfo(name, digest_of(folder), count, (), (), "", content, columns, notes)
        keys = DataSetKeys(name)
        self._store.ensure_bucket()
        if not self._store.exists(keys.files(info.digest)):
            with TemporaryDirectory(prefix="triptych-") as work:
                file = Path(work) / "files.zip"
                pack_files(folder, file)
                self._store.put_file(keys.files(info.digest), file)
        # The pointer last: whoever reads it finds the content there.
        if not only_new:
            self._store.put_json(keys.current, kept(info))
        elif not self._store.put_new_json(keys.current, kept(info)):
            return self.get(name)
        return info

    def publish(self, name: str, images: ImageSet, file: Path) -> DataSetInfo:
        """Stores a data set that is written in a file.

        The digest does not cover the names of the files. So where this content was uploaded before, under
        this name, those of that time stay: whatever a job reads twice is the same.
        """
        info = info_of(name, images)
        keys = DataSetKeys(name)
        self._store.ensure_bucket()
        if not self._store.exists(keys.content(info.digest)):
            if images.names:
                self._store.put_json(keys.names(info.digest), images.names)
            self._store.put_file(keys.content(info.digest), file)
        elif images.names and images.names != self.names_of(name, info.digest):
            info = replace(info, notes=(*info.notes, _SAME))
        # The pointer last: whoever reads it finds the content there.
        self._store.put_json(keys.current, kept(info))
        return info

    def publish_new(self, name: str, images: ImageSet) -> DataSetInfo:
        """Stores a data set under a name that nothing has, or that has this very content.

        Raises:
            BadInput: the name has other content.
        """
        keys, info = DataSetKeys(name), info_of(name, images)
        self._store.ensure_bucket()
        with TemporaryDirectory(prefix="triptych-") as folder:
            file = Path(folder) / "images.npz"
            images.write(file)
            self._store.put_file(keys.content(info.digest), file)
        # In one step, so that of two jobs that choose the same name one is told.
        if not self._store.put_new_json(keys.current, kept(info)) and self.get(name).digest != info.digest:
            raise BadInput(f"there is a data set {name!r} already, with other content: choose another name")
        return info

    def delete(self, name: str) -> Freed:
        """Deletes a data set of one's own, with all content that it has had.

        Raises:
            UnknownDataSet: there is none of that name.
            StillNeeded: a job that has not ended, or something else, refers to it.
        """
        if self._removal is None:
            raise RuntimeError("data sets are deleted through a client")
        return self._removal.data_set(name)

    def get(self, name: str) -> DataSetInfo:
        """A data set in the store.

        Raises:
            UnknownDataSet: there is none of that name; the text lists the ones there are.
        """
        try:
            data = self._store.get_json(DataSetKeys(name).current)
        except UnknownArtifact:
            raise UnknownDataSet(
                f"there is no data set {name!r}: known are {', '.join(self.names())}; add your own with "
                f"`triptych datasets upload {name} FOLDER`"
            ) from None
        # JSON has no tuples.
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        return DataSetInfo(**fields)

    def names_of(self, name: str, digest: str) -> tuple[str, ...]:
        """The names of the files that a data set of images was made of; empty if there were none."""
        try:
            return tuple(map(str, self._store.get_json(DataSetKeys(name).names(digest))))
        except UnknownArtifact:
            return ()

    def names(self) -> Sequence[str]:
        """The names that a spec can use."""
        return sorted({*NAMED, *self._stored()} - {*SAMPLES})

    def list(self) -> Sequence[DataSetInfo]:
        """Every data set: those that come with Triptych (these without a digest), then one's own."""
        listed = [self.find(name) for name in NAMED]
        for name in self._stored():
            if name not in {*NAMED, *SAMPLES}:
                with suppress(UnknownDataSet):  # removed since the store named it
                    listed.append(self.get(name))
        return listed

    def find(self, name: str) -> DataSetInfo:
        """A data set that comes with Triptych (without a digest), or one in the store.

        Raises:
            UnknownDataSet: there is none of that name; the text lists the ones there are.
        """
        return info_of_named(name) or self.get(name)

    def _stored(self) -> Sequence[str]:
        """The names that stand for something: not those of an upload under way, nor emptied folders."""
        try:
            keys = [item.key.split("/") for item in self._store.under("datasets/")]
        except UnknownArtifact:
            return []
        return sorted(name for _, name, file in keys if file == "current.json")
