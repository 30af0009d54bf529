"""Data sets where there is no store: from the paths that a person gives, else the named ones."""

from collections.abc import Callable, Mapping
from pathlib import Path

from jobs.datasets.images import named, packing
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.remarks import tell
from jobs.datasets.tables import named as tables
from jobs.datasets.tables.table import Table
from jobs.datasets.texts.intake import take
from jobs.datasets.texts.sets import FORMATS
from jobs.errors import BadInput
from jobs.names import checked_name, is_folder


def image_set(name: str, data: Mapping[str, Path]) -> ImageSet:
    """A data set of images, or a folder of them.

    Raises:
        BadInput: it cannot be loaded, or has no image.
    """
    if is_folder(name):
        images = packing.pack(Path(name).expanduser())
    elif name not in data:
        return named.load(name)
    else:
        images = packing.pack(data[name])
    tell(name, images.notes)
    return images


def table(name: str, data: Mapping[str, Path]) -> Table:
    """A table with time.

    Raises:
        BadInput: it cannot be read, or there is none.
    """
    found = tables.load(name, data.get(name))
    tell(name, found.remarks)
    return found


def files(name: str, data: Mapping[str, Path], work: Path, fetch: Callable[[Path], None] | None) -> Path:
    """A folder with the files of an upload; `JobContext.files` says more.

    Args:
        name: of the upload.
        data: paths by name.
        work: a folder in which one may be made.
        fetch: puts the files into an empty folder.

    Raises:
        BadInput: there is no path for the name, and no way to fetch it.
    """
    folder = work / "files" / checked_name(name, "name of an upload")
    if folder.exists():
        return folder
    if (given := data.get(name)) is not None:
        if not given.exists():
            raise BadInput(f"there is no {given}, which was given for {name!r}")
        if given.is_dir():
            return given
        folder.mkdir(parents=True)
        if given.suffix.lower() in FORMATS:
            tell(name, take(given, folder).notes)
        else:
            (folder / given.name).symlink_to(given.absolute())
    elif fetch is not None:
        folder.mkdir(parents=True)
        fetch(folder)
    else:
        raise BadInput(f"there is no upload {name!r} here: give its path with --data {name}=PATH")
    return folder
