"""Arrays that lie in files and are read a page at a time, so that a set need not fit into memory."""

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Self

import numpy as np

Array = np.ndarray[Any, Any]

#: Bytes that are read, hashed or written at a time.
BLOCK = 16 << 20


def on_disk(shape: tuple[int, ...]) -> Array:
    """An array uint8 to be filled, in a file without a name that is gone once nobody holds the array."""
    with TemporaryFile(prefix="triptych-") as file:
        return np.asarray(np.memmap(file, np.uint8, "w+", shape=shape))


def blocks(array: Array) -> Iterator[Array]:
    """All rows, some megabytes at a time; what has been read of a file does not stay in memory."""
    rows = max(1, BLOCK // max(1, array.nbytes // max(1, len(array))))
    for first in range(0, len(array), rows):
        yield array[first : first + rows]
        let_go(array)


def let_go(array: Array) -> None:
    """Lets the system take back what this process has read of an array in a file; others stay as they are."""
    mapping = _mapping(array)
    if mapping is not None:
        mapping.madvise(mmap.MADV_DONTNEED)


class RowReader:
    """Reads rows of an array in a file anew each time, so that nothing of it stays in this process's memory.

    Through the mapping the system brings the neighbours of a row in with it: 256 rows of 784 bytes from all
    over four gigabytes made 400 MiB resident, and letting them go again took twice as long as this.
    """

    def __init__(self, path: Path, offset: int, row_bytes: int) -> None:
        self._file = os.open(path, os.O_RDONLY)
        self._path, self._offset, self._row_bytes = path, offset, row_bytes

    @classmethod
    def of(cls, array: Array) -> Self | None:
        """The reader of an array; None if it lies in no file with a name, or its rows do not lie in a row."""
        owner: Any = array
        while isinstance(owner, np.ndarray) and not isinstance(owner, np.memmap):
            owner = owner.base
        if not isinstance(owner, np.memmap) or owner.filename is None or not hasattr(os, "preadv"):
            return None
        if not array.flags.c_contiguous or not Path(owner.filename).is_file():
            return None
        # The mapping begins at a whole page; the memmap knows where in the file its own first number is.
        offset = owner.offset + array.ctypes.data - owner.ctypes.data
        return cls(Path(owner.filename), offset, array.nbytes // len(array))

    def read(self, rows: Array, into: Array) -> None:
        """Copies rows into the first ones of an array of the same type.

        Raises:
            OSError: the file has become shorter.
        """
        target, size = into.data.cast("B"), self._row_bytes
        for number, row in enumerate(rows.tolist()):
            part = target[number * size : (number + 1) * size]
            if os.preadv(self._file, [part], self._offset + row * size) < size:
                raise OSError(f"{self._path} has become shorter while it was used")

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)


def _mapping(array: Array) -> mmap.mmap | None:
    """The file's mapping; None for an array in memory, and where there is no such advice (Windows)."""
    owner: object = array
    while isinstance(owner, np.ndarray):
        # What was written into a mapping of one's own exists nowhere else, and would be lost.
        if isinstance(owner, np.memmap) and owner.mode == "c":
            return None
        owner = owner.base
    return owner if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED") else None
