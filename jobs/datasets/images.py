"""A set of images of one size, and the one file it is kept in."""

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from jobs.errors import BadInput

#: The oldest moment a zip file can name. A fixed one: equal content must make equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size, with their classes where they have any.

    Attributes:
        images: uint8 (count, height, width, channels), channels 1 (grey) or 3 (red, green, blue).
        labels: int64 (count,), numbers of the classes, or None.
        class_names: one name a class, in the order of the labels; empty without labels.

    Raises:
        BadInput: the arrays do not have these types and shapes.
    """

    images: Array
    labels: Array | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
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
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def write(self, path: Path) -> None:
        """Writes the set as `.npz`; equal sets make equal files, byte for byte."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name, array in self._arrays():
                member = zipfile.ZipInfo(f"{name}.npy", EPOCH)
                member.compress_type = zipfile.ZIP_DEFLATED
                member.external_attr = 0o600 << 16
                content = io.BytesIO()
                npy.write_array(content, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
                archive.writestr(member, content.getvalue())

    @classmethod
    def read(cls, path: Path) -> "ImageSet":
        """Reads a file that `write` has written.

        Raises:
            BadInput: it is no such file, or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            names = tuple(str(name) for name in arrays.get("class_names", ()))
            return cls(arrays["images"], arrays.get("labels"), names)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise BadInput(f"{path.name} cannot be read as a data set: {error}; upload it again") from error

    def _arrays(self) -> list[tuple[str, Array]]:
        arrays = [("images", self.images)]
        if self.labels is not None:
            arrays += [("labels", self.labels), ("class_names", np.array(self.class_names, dtype=np.str_))]
        return arrays
