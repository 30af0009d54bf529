"""People's own data sets: checked here, kept in the store under the digest of their content."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from jobs.datasets.images import ImageSet
from jobs.datasets.named import DATA_SETS
from jobs.errors import BadInput, InvalidSpec
from jobs.names import checked_name
from scheduler.artifacts import ArtifactStore, DataSetKeys
from scheduler.errors import UnknownArtifact, UnknownDataSet


@dataclass(frozen=True)
class DataSetInfo:
    """What a name stands for now."""

    name: str
    digest: str  #: SHA-256 of the content
    count: int
    shape: tuple[int, ...]  #: (height, width, channels)
    class_names: tuple[str, ...]
    title: str = ""


class DataSets:
    """The data sets that jobs can name: those that come with Triptych, and one's own."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    def upload(self, name: str, path: str | Path, size: tuple[int, int] | None = None) -> DataSetInfo:
        """Stores a folder of images, or an `.npz`, under a name. Jobs already submitted keep the old content.

        Args:
            name: what specs call it, such as `faces`.
            path: a folder of images (sub-folders are classes), or an `.npz` with `images` and maybe `labels`.
            size: (height, width) in pixels to which every image is resized; needed where sizes differ.

        Raises:
            InvalidSpec: the name is not allowed.
            BadInput: no image, an unreadable one, or different sizes; the text names the file.
        """
        if checked_name(name, "data set name") in DATA_SETS:
            raise InvalidSpec(f"the data set {name!r} comes with Triptych: choose another name")
        from jobs.datasets.packing import pack

        images = pack(Path(path), size=size)
        with TemporaryDirectory(prefix="triptych-") as folder:
            file = Path(folder) / "images.npz"
            images.write(file)
            return self.publish(name, images, file)

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
        return DataSetInfo(
            **{**data, "shape": tuple(data["shape"]), "class_names": tuple(data["class_names"])}
        )

    def names(self) -> Sequence[str]:
        """The names that a spec can use."""
        return sorted({*DATA_SETS, *self._stored()})

    def list(self) -> Sequence[DataSetInfo]:
        """Every data set: those that come with Triptych (these without a digest), then one's own."""
        named = [
            DataSetInfo(name, "", item.count, item.shape, item.classes, item.title)
            for name, item in DATA_SETS.items()
        ]
        return named + [self.get(name) for name in self._stored() if name not in DATA_SETS]

    def pin(self, name: str) -> str | None:
        """The digest that a job submitted now shall use; None for one that comes with Triptych.

        Raises:
            UnknownDataSet: there is none of that name.
        """
        return None if name in DATA_SETS else self.get(name).digest

    def _stored(self) -> Sequence[str]:
        try:
            folders = [item.key for item in self._store.under("datasets/", recursive=False)]
        except UnknownArtifact:
            return []
        return sorted(folder.removeprefix("datasets/").strip("/") for folder in folders)


def _info(name: str, images: ImageSet) -> DataSetInfo:
    return DataSetInfo(name, images.digest, len(images), images.shape, images.class_names)
