"""People's own data sets: checked here, kept in the store under the digest of their content."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jobs.datasets.bundle import digest_of
from jobs.datasets.bundle import pack as pack_files
from jobs.datasets.images import ImageSet
from jobs.datasets.named import DATA_SETS
from jobs.datasets.texts import FORMATS, TEXT_SETS, columns_of, count_of
from jobs.errors import BadInput, InvalidSpec
from jobs.names import checked_name
from jobs.pretrained import CONFIG, FILES, SAMPLES, WEIGHTS
from scheduler.artifacts import ArtifactStore, DataSetKeys
from scheduler.errors import UnknownArtifact, UnknownDataSet


@dataclass(frozen=True)
class DataSetInfo:
    """What a name stands for now."""

    name: str
    digest: str  #: SHA-256 of the content
    count: int  #: images, rows, or files
    shape: tuple[int, ...]  #: (height, width, channels) of images
    class_names: tuple[str, ...]
    title: str = ""
    content: str = "images"  #: or "texts", or "pretrained": a checkpoint
    columns: tuple[str, ...] = ()  #: of texts


class DataSets:
    """The data sets that jobs can name: those that come with Triptych, and one's own."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    def upload(self, name: str, path: str | Path, size: tuple[int, int] | None = None) -> DataSetInfo:
        """Stores images, texts or a checkpoint under a name. Jobs already submitted keep the old content.

        Args:
            name: what specs call it, such as `faces`.
            path: a folder of images (sub-folders are classes), or an `.npz` with `images` and maybe
                `labels`; a file of texts (`.csv`, `.tsv`, `.jsonl`, `.parquet`); or a folder with a
                checkpoint, as `save_pretrained` writes it.
            size: (height, width) in pixels to which every image is resized; needed where sizes differ.

        Raises:
            InvalidSpec: the name is not allowed.
            BadInput: nothing to upload, or something unreadable; the text names the file.
        """
        if checked_name(name, "data set name") in {*DATA_SETS, *TEXT_SETS, *SAMPLES}:
            raise InvalidSpec(f"the data set {name!r} comes with Triptych: choose another name")
        path = Path(path)
        if path.suffix in FORMATS and path.is_file():
            return self._upload_texts(name, path)
        if (path / CONFIG).is_file():
            return self._upload_checkpoint(name, path)
        from jobs.datasets.packing import pack

        images = pack(path, size=size)
        with TemporaryDirectory(prefix="triptych-") as folder:
            file = Path(folder) / "images.npz"
            images.write(file)
            return self.publish(name, images, file)

    def _upload_texts(self, name: str, path: Path) -> DataSetInfo:
        columns, count = columns_of(path), count_of(path)
        if count < 1:
            raise BadInput(f"{path} has no row; a file of texts needs at least one")
        with TemporaryDirectory(prefix="triptych-") as folder:
            (Path(folder) / f"texts{path.suffix}").symlink_to(path.absolute())
            return self.publish_files(name, Path(folder), count=count, columns=columns)

    def _upload_checkpoint(self, name: str, path: Path) -> DataSetInfo:
        found = [path / file for file in FILES if (path / file).is_file()]
        if path / WEIGHTS not in found:
            raise BadInput(
                f"{path} has no {WEIGHTS}; save the checkpoint as a single file, with "
                "save_pretrained(..., max_shard_size='100GB')"
            )
        with TemporaryDirectory(prefix="triptych-") as folder:
            for file in found:
                (Path(folder) / file.name).symlink_to(file.absolute())
            return self.publish_files(name, Path(folder), count=len(found))

    def upload_folder(self, folder: Path) -> DataSetInfo:
        """Stores a checkpoint under a name made of its content.

        Raises:
            BadInput: the folder holds no checkpoint.
        """
        return self._upload_checkpoint(f"pretrained-{digest_of(folder)[:16]}", folder)

    def publish_files(
        self,
        name: str,
        folder: Path,
        count: int = 0,
        columns: tuple[str, ...] = (),
        *,
        only_new: bool = False,
    ) -> DataSetInfo:
        """Stores the files in a folder: a checkpoint if there is a config.json, else texts.

        Args:
            name: what specs call it.
            folder: with the files, and nothing else.
            count: rows, or files.
            columns: of texts.
            only_new: what has the name already stays, and is returned.
        """
        content = "pretrained" if (folder / CONFIG).is_file() else "texts"
        info = DataSetInfo(name, digest_of(folder), count, (), (), "", content, columns)
        keys = DataSetKeys(name)
        self._store.ensure_bucket()
        if not self._store.exists(keys.files(info.digest)):
            with TemporaryDirectory(prefix="triptych-") as work:
                file = Path(work) / "files.zip"
                pack_files(folder, file)
                self._store.put_file(keys.files(info.digest), file)
        # The pointer last: whoever reads it finds the content there.
        if not only_new:
            self._store.put_json(keys.current, asdict(info))
        elif not self._store.put_new_json(keys.current, asdict(info)):
            return self.get(name)
        return info

    def publish(self, name: str, images: ImageSet, file: Path) -> DataSetInfo:
        """Stores a data set that is written in a file."""
        info = _info(name, images)
        keys = DataSetKeys(name)
        self._store.ensure_bucket()
        if not self._store.exists(keys.content(info.digest)):
            self._store.put_file(keys.content(info.digest), file)
        # The pointer last: whoever reads it finds the content there.
        self._store.put_json(keys.current, asdict(info))
        return info

    def publish_new(self, name: str, images: ImageSet) -> DataSetInfo:
        """Stores a data set under a name that nothing has, or that has this very content.

        Raises:
            BadInput: the name has other content.
        """
        keys, info = DataSetKeys(name), _info(name, images)
        self._store.ensure_bucket()
        with TemporaryDirectory(prefix="triptych-") as folder:
            file = Path(folder) / "images.npz"
            images.write(file)
            self._store.put_file(keys.content(info.digest), file)
        # In one step, so that of two jobs that choose the same name one is told.
        if not self._store.put_new_json(keys.current, asdict(info)) and self.get(name).digest != info.digest:
            raise BadInput(f"there is a data set {name!r} already, with other content: choose another name")
        return info

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

    def names(self) -> Sequence[str]:
        """The names that a spec can use."""
        return sorted({*DATA_SETS, *TEXT_SETS, *self._stored()} - {*SAMPLES})

    def list(self) -> Sequence[DataSetInfo]:
        """Every data set: those that come with Triptych (these without a digest), then one's own."""
        named = [self.find(name) for name in (*DATA_SETS, *TEXT_SETS)]
        with_triptych = {*DATA_SETS, *TEXT_SETS, *SAMPLES}
        return named + [self.get(name) for name in self._stored() if name not in with_triptych]

    def find(self, name: str) -> DataSetInfo:
        """A data set that comes with Triptych (without a digest), or one in the store.

        Raises:
            UnknownDataSet: there is none of that name; the text lists the ones there are.
        """
        if (images := DATA_SETS.get(name)) is not None:
            return DataSetInfo(name, "", images.count, images.shape, images.classes, images.title)
        if (texts := TEXT_SETS.get(name)) is not None:
            return DataSetInfo(name, "", texts.count, (), texts.classes, texts.title, "texts", texts.columns)
        return self.get(name)

    def _stored(self) -> Sequence[str]:
        try:
            folders = [item.key for item in self._store.under("datasets/", recursive=False)]
        except UnknownArtifact:
            return []
        return sorted(folder.removeprefix("datasets/").strip("/") for folder in folders)


def _info(name: str, images: ImageSet) -> DataSetInfo:
    return DataSetInfo(name, images.digest, len(images), images.shape, images.class_names)
