"""Pictures as one array, put on the disk one after the other: they need not fit into memory."""

from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Self

import numpy as np
from PIL import Image

from jobs.datasets.images.image_set import Array
from jobs.datasets.mapped import BLOCK
from jobs.errors import BadInput


class Stack:
    """Takes pictures of mode `L` or `RGB`: grey until one has colours, then all have three channels.

    Use it in a `with` statement; the array stays when it is left.
    """

    def __init__(self) -> None:
        self._file = _file()
        self.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def clear(self) -> None:
        """Begins anew."""
        self._file.seek(0)
        self._file.truncate()
        self._count, self._channels = 0, 1
        self._first: tuple[Path, Image.Image] | None = None
        self._unlike: tuple[Path, Image.Image] | None = None  #: the first one of another size

    def add(self, file: Path, picture: Image.Image) -> None:
        """Puts a picture of a file on top."""
        self._first = self._first or (file, picture)
        if picture.size != self._first[1].size:
            self._unlike = self._unlike or (file, picture)
        if self._unlike is not None:
            return  # there will be no array
        if picture.mode == "RGB" and self._channels == 1:
            self._colour()
        if self._channels == 3:
            picture = picture.convert("RGB")
        self._file.write(picture.tobytes())
        self._count += 1

    def images(self) -> Array:
        """All of them, uint8 (count, height, width, channels).

        Raises:
            BadInput: they differ in size.
        """
        assert self._first is not None  # noqa: S101 - no data set is without a picture
        file, picture = self._first
        if self._unlike is not None:
            other, another = self._unlike
            raise BadInput(
                f"the images differ in size: {file} is {picture.height} x {picture.width} and {other} is "
                f"{another.height} x {another.width} (height x width); give a size to which all are resized"
            )
        self._file.flush()
        shape = (self._count, picture.height, picture.width, self._channels)
        return np.asarray(np.memmap(self._file, np.uint8, "r+", shape=shape))

    def _colour(self) -> None:
        """Gives those so far three equal colours."""
        grey, self._channels = self._file, 3
        self._file = _file()
        with grey:
            grey.seek(0)
            while content := grey.read(BLOCK):
                self._file.write(np.frombuffer(content, np.uint8).repeat(3).tobytes())


def _file() -> IO[bytes]:
    return TemporaryFile(prefix="triptych-")
