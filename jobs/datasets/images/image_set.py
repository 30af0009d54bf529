"""A set of images of one size, and the one file it is kept in."""

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from jobs.datasets import damage
from jobs.datasets.mapped import blocks
from jobs.errors import BadInput

#: The oldest moment a zip file can name. A fixed one: equal content must make equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)

Array = np.ndarray[Any, Any]

#: The arrays of a set, by name; without labels there is only the first. Names of files are beside them.
_ARRAYS = ("images", "labels", "class_names")


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size, with their classes where they have any.

    Attributes:
        images: uint8 (count, height, width, channels), channels 1 (grey) or 3 (red, green, blue).
        labels: int64 (count,), numbers of the classes, or None.
        class_names: one name a class, in the order of the labels; empty without labels.
        notes: what was left out, guessed or changed when it was packed; no part of the content.
        names: of the images, as their files had without the suffix; empty where there were no files. No part
            of the digest.

    Raises:
        BadInput: the arrays do not have these types and shapes.
    """

    images: Array
    labels: Array | None = None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if self.names and len(self.names) != len(images):
            raise BadInput(
                f"there are {len(self.names)} names of {len(images)} images; each needs one, or none"
            )
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
            raise BadInput(
                "images must be uint8 (count, height, width, channels) with 1 or 3 channels, "
                f"received {images.dtype} {images.shape}"
            )
        if 0 in images.shape:
            raise BadInput(f"the data set has no image: its shape is {images.shape}")
        if labels is None:
            return
        if labels.dtype != np.int64 or labels.shape != (len(images),):
            raise BadInput(
                f"labels must be int64 ({len(images)},), one an image, received {labels.dtype} {labels.shape}"
            )
        if labels.min() < 0 or labels.max() >= len(self.class_names):
            raise BadInput(
                f"labels must be numbers from 0 to {len(self.class_names) - 1}, one for each class name, "
                f"received {labels.min()} to {labels.max()}"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, as hexadecimal digits: the address of the set in a store."""
        digest = hashlib.sha256()
        for name, array in self._arrays():
            digest.update(json.dumps([name, array.dtype.str, list(array.shape)]).encode())
            for block in blocks(array):
                digest.update(_bytes_of(block))
        return digest.hexdigest()

    def called(self, names: tuple[str, ...]) -> "ImageSet":
        """The same images with these names of their files."""
        found = replace(self, names=names)
        found.__dict__["digest"] = self.digest  # known by now, and does not cover the names
        return found

    def write(self, path: Path) -> None:
        """Writes the set as `.npz`; equal sets make equal files, byte for byte."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name, array in [*self._arrays(), *self._beside()]:
                member = zipfile.ZipInfo(f"{name}.npy", EPOCH)
                member.compress_type = zipfile.ZIP_DEFLATED
                member.external_attr = 0o600 << 16
                header = io.BytesIO()
                about = {
                    "descr": npy.dtype_to_descr(array.dtype),
                    "fortran_order": False,
                    "shape": array.shape,
                }
                npy.write_array_header_1_0(header, about)
                member.file_size = len(header.getvalue()) + array.nbytes
                with archive.open(member, "w") as file:
                    file.write(header.getvalue())
                    for block in blocks(array):
                        file.write(_bytes_of(block))

    @classmethod
    def read(cls, path: Path) -> "ImageSet":
        """Reads a file that `write` has written.

        Raises:
            BadInput: it is no such file, or damaged.
        """
        with _readable(path, OSError), np.load(path, allow_pickle=False) as file:
            return cls._of({name: file[name] for name in file.files})

    @staticmethod
    def unpack(path: Path, folder: Path) -> None:
        """Writes the arrays of a file that `write` has written into a new folder, one file each.

        Raises:
            BadInput: it is no such file, or damaged.
        """
        folder.mkdir(parents=True)
        with _readable(path), zipfile.ZipFile(path) as archive:
            for name in {f"{name}.npy" for name in _ARRAYS} & {*archive.namelist()}:
                with archive.open(name) as member, (folder / name).open("wb") as file:
                    shutil.copyfileobj(member, file, 1 << 20)

    @classmethod
    def open(cls, folder: Path) -> "ImageSet":
        """The set whose arrays `unpack` has written; the images are read from the disk when they are used.

        Raises:
            BadInput: there is none, or it is damaged.
        """
        with _readable(folder, OSError):
            paths = {name: folder / f"{name}.npy" for name in _ARRAYS if (folder / f"{name}.npy").exists()}
            arrays = {
                name: np.load(path, mmap_mode="r" if name == "images" else None, allow_pickle=False)
                for name, path in paths.items()
            }
            return cls._of({name: np.asarray(array) for name, array in arrays.items()})

    @classmethod
    def _of(cls, arrays: dict[str, Array]) -> "ImageSet":
        classes = tuple(str(name) for name in arrays.get("class_names", ()))
        names = arrays["names"].tobytes().decode().split("\0") if "names" in arrays else ()
        return cls(arrays["images"], arrays.get("labels"), classes, names=tuple(names))

    def _arrays(self) -> list[tuple[str, Array]]:
        arrays = [("images", self.images)]
        if self.labels is not None:
            arrays += [("labels", self.labels), ("class_names", np.array(self.class_names, dtype=np.str_))]
        return arrays

    def _beside(self) -> list[tuple[str, Array]]:
        if not self.names:
            return []
        # As bytes: NumPy's texts take as much for each name as for the longest, four times over.
        return [("names", np.frombuffer("\0".join(self.names).encode(), np.uint8))]


@contextmanager
def _readable(path: Path, *more: type[Exception]) -> Iterator[None]:
    """Says of a damaged file what it is; a full disk, where one writes, is none."""
    try:
        yield
    except damage.OF_ARCHIVES + more as error:
        raise BadInput(f"{path.name} cannot be read as a data set: {error}; upload it again") from error


def _bytes_of(block: Array) -> memoryview:
    return np.ascontiguousarray(block).reshape(-1).view(np.uint8).data
