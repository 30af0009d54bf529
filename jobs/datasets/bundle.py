"""Files as one file: what a data set of texts, or a checkpoint, is in the store."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

from jobs.datasets import damage
from jobs.datasets.images.image_set import EPOCH
from jobs.errors import BadInput, InvalidSpec
from jobs.names import checked_path

#: Bytes that are copied at once.
BLOCK = 2**20
_DAMAGE: tuple[type[Exception], ...] = (*damage.OF_ARCHIVES, OSError, InvalidSpec)


def digest_of(folder: Path) -> str:
    """SHA-256 over the names and contents of all files in a folder, as hexadecimal digits."""
    digest = hashlib.sha256()
    for path in _files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(json.dumps([str(path.relative_to(folder)), content]).encode())
    return digest.hexdigest()


def pack(folder: Path, file: Path) -> None:
    """Writes all files of a folder into one; equal folders make equal files, byte for byte.

    Raises:
        BadInput: there is no file, or one whose name is not allowed.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for path in _checked(folder):
            name = str(path.relative_to(folder))
            with path.open("rb") as source, archive.open(_member(name), "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, BLOCK)


def unpack(file: Path, folder: Path) -> str:
    """Writes the files of a bundle into a folder, which is made; returns their digest.

    Raises:
        BadInput: it is no bundle, or damaged, or a file of it would lie outside the folder.
    """
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                path = folder / checked_path(member.filename, "file")
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, path.open("wb") as target:
                    shutil.copyfileobj(source, target, BLOCK)
    except _DAMAGE as error:
        raise BadInput(
            f"{file.name} cannot be read as a bundle of files: {error}; upload it again"
        ) from error
    return digest_of(folder)


def _checked(folder: Path) -> Iterable[Path]:
    files = _files(folder)
    if not files:
        raise BadInput(f"{folder} has no file; nothing was uploaded")
    for path in files:
        try:
            checked_path(str(path.relative_to(folder)), "file")
        except InvalidSpec as error:
            raise BadInput(str(error)) from None
    return files


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, EPOCH)
    member.external_attr = 0o600 << 16
    return member
