"""A person's own `.npz` of arrays as an `ImageSet`."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from jobs.datasets import damage
from jobs.datasets.images.image_set import Array, ImageSet
from jobs.datasets.images.listing import first
from jobs.datasets.images.values import ASK, Extremes, Kind, Range, range_of
from jobs.datasets.mapped import BLOCK, let_go, on_disk
from jobs.datasets.readable import encodable
from jobs.errors import BadInput

#: Names under which images are looked for, and the labels that go with them; the first found counts.
NAMES = (("images", "labels"), ("x", "y"), ("X", "y"), ("x_train", "y_train"), ("X_train", "y_train"))

_TAKEN = "must be integers from 0 to 255 or floats from 0 to 1"

#: A header may speak of more numbers than there is memory for, or be that of no array.
_DAMAGE: tuple[type[Exception], ...] = (*damage.OF_ARCHIVES, OSError, AttributeError, MemoryError)
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class Member:
    """An array of a file that NumPy has opened, read some rows at a time.

    Args:
        file: what `numpy.load` returns for an `.npz`; open for as long as blocks are read.
        name: of the array.

    Attributes:
        shape: of the array.
        dtype: of its numbers.

    Raises:
        ValueError: it holds pickled objects.
        AttributeError: it is no array.
    """

    def __init__(self, file: Any, name: str) -> None:
        self._file, self._name = file, f"{name}.npy"
        self._whole: Array | None = None
        with self._opened() as stream:
            header = self._header(stream)
        if header is None:
            # Columns before rows, or a rare header: NumPy reads it, whole.
            self._whole = file[name]
            header = self._whole.shape, self._whole.dtype
        self.shape, self.dtype = header

    def blocks(self) -> Iterator[Array]:
        """All rows in their order, some megabytes at a time.

        Raises:
            ValueError: there are fewer than the header says.
        """
        size = math.prod(self.shape[1:]) * self.dtype.itemsize
        rows = max(1, BLOCK // max(1, size))
        if self._whole is not None:
            yield from (self._whole[first : first + rows] for first in range(0, self.shape[0], rows))
            return
        with self._opened() as stream:
            self._header(stream)
            for first in range(0, self.shape[0], rows):
                count = min(rows, self.shape[0] - first)
                content = stream.read(count * size)
                if len(content) < count * size:
                    raise ValueError(f"{self._name} ends early")
                yield np.frombuffer(content, self.dtype).reshape(count, *self.shape[1:])
            stream.read(1)  # so that the checksum at the end is looked at

    def _opened(self) -> IO[bytes]:
        stream: IO[bytes] = self._file.zip.open(self._name)
        return stream

    @staticmethod
    def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]] | None:
        """Shape and type; None if the rows do not follow each other, or NumPy has to read it itself."""
        if (read := _HEADERS.get(npy.read_magic(stream))) is None:
            return None
        shape, columns_first, dtype = read(stream)
        return None if columns_first or dtype.hasobject or not shape else (shape, dtype)


def read(path: Path, values: Range | None = None) -> ImageSet:
    """Reads images and labels from an `.npz`, under the names in `NAMES`.

    Images are (count, height, width) or (count, height, width, 1 or 3): whole numbers from 0 to 255, 16-bit
    numbers, booleans, or floats from 0 to 1, -1 to 1 or 0 to 255; they need not fit into memory. Labels are
    (count,) or (count, 1), whole numbers or names; an array `class_names` gives the numbers their names, and
    an array `names`, texts (count,), the images theirs.
    Nothing pickled is read.

    Args:
        path: the file.
        values: those that become black and white, in place of what they tell themselves.

    Raises:
        BadInput: no images, or arrays of another shape or type; the text names the file and the array.
    """
    with _readable(path), np.load(path, allow_pickle=False) as file:
        for images_name, labels_name in NAMES:
            if images_name not in file.files:
                continue
            images, notes = _images(Member(file, images_name), f"{path}: {images_name!r}", values)
            called = _called(file["names"], len(images)) if "names" in file.files else ()
            known = {images_name, labels_name, "class_names", *(["names"] if called else [])}
            if unused := sorted(set(file.files) - known):
                notes.append(f"not used: {len(unused)} other arrays ({first(unused)})")
            if labels_name not in file.files:
                return ImageSet(images, notes=tuple(notes), names=called)
            where = f"{path}: {labels_name!r}"
            class_names = file["class_names"] if "class_names" in file.files else None
            labels, names = _labels(file[labels_name], class_names, len(images), where)
            return ImageSet(images, labels, tuple(map(encodable, names)), tuple(notes), called)
        raise BadInput(
            f"{path} has no array 'images', 'x' or 'x_train', only "
            f"{', '.join(sorted(file.files)) or 'nothing'}; save your images under one of these names"
        )


def read_array(path: Path, name: str, values: Range | None = None) -> ImageSet:
    """Images without labels from the array of that name in an `.npz`; the rest is as `read` says.

    Raises:
        BadInput: there is no such array, or one of another shape or type.
    """
    with _readable(path), np.load(path, allow_pickle=False) as file:
        if name not in file.files:
            raise BadInput(f"{path} has no array {name!r}, only {', '.join(sorted(file.files)) or 'nothing'}")
        images, notes = _images(Member(file, name), f"{path}: {name!r}", values)
        return ImageSet(images, notes=tuple(notes))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        if "pickle" in str(error).lower():
            raise BadInput(
                f"{path} holds pickled objects, which are not loaded because they could run code; "
                "save plain arrays of numbers instead"
            ) from None
        raise BadInput(f"{path} cannot be read as an .npz file ({error}); save it again") from error


def _images(member: Member, where: str, values: Range | None) -> tuple[Array, list[str]]:
    """uint8 (count, height, width, channels), and what the values were taken for."""
    shape = (*member.shape, 1) if len(member.shape) == 3 else member.shape
    if len(shape) != 4 or shape[-1] not in (1, 3):
        raise BadInput(f"{where} must be (count, height, width[, 1 or 3]), received {shape}")
    if 0 in shape:
        raise BadInput(f"{where} has no image: its shape is {shape}")
    if member.dtype == np.bool_:
        return _as_bytes(member, shape, Range(0, 1)), []
    if member.dtype.kind not in "iuf":
        raise BadInput(f"{where} {_TAKEN}, received {member.dtype}")
    ends = [(rows.min(), rows.max()) for rows in member.blocks()]
    low, high = float(np.min([each for each, _ in ends])), float(np.max([each for _, each in ends]))
    kind = _kind(member, high)
    wanted = values or (range_of(kind, low, high) if np.isfinite(low + high) else None)
    if wanted is None or (kind is Kind.BYTES and high > 255 and not values):
        raise BadInput(f"{where} {_TAKEN}, received {member.dtype}, values from {low} to {high}; {ASK}")
    return _as_bytes(member, shape, wanted), Extremes({kind: (low, high)}).notes({kind: wanted})


def _kind(member: Member, high: float) -> Kind:
    if member.dtype.kind == "f":
        return Kind.FLOATS
    # Numbers of more bits may be anything: only those of 16 bits say what they could be.
    return Kind.WHOLE if member.dtype.itemsize == 2 and high > 255 else Kind.BYTES


def _as_bytes(member: Member, shape: tuple[int, ...], wanted: Range) -> Array:
    images, done = on_disk(shape), 0
    for rows in member.blocks():
        images[done : done + len(rows)] = wanted.to_bytes(rows).reshape(len(rows), *shape[1:])
        done += len(rows)
        let_go(images)
    return images


def _called(names: Array, count: int) -> tuple[str, ...]:
    """Names of images, as texts or as `ImageSet.write` has written them; none if they are anything else."""
    found: tuple[str, ...] = ()
    if names.dtype == np.uint8 and names.ndim == 1:
        found = tuple(names.tobytes().decode(errors="replace").split("\0"))
    elif names.dtype.kind == "U" and names.ndim == 1:
        found = tuple(encodable(str(name)) for name in names)
    return found if len(found) == count else ()


def _labels(
    labels: Array, class_names: Array | None, count: int, where: str
) -> tuple[Array, tuple[str, ...]]:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise BadInput(f"{where} must have one label for each of the {count} images, received {labels.shape}")
    if labels.dtype.kind not in "iuU":
        raise BadInput(f"{where} must be whole numbers or names of classes, received {labels.dtype}")
    if class_names is not None and (class_names.ndim != 1 or class_names.dtype.kind not in "iufbU"):
        raise BadInput(
            f"{where}: 'class_names' must be (classes,) of names, received {class_names.dtype} "
            f"{class_names.shape}"
        )
    if class_names is not None and labels.dtype.kind in "iu":
        names = tuple(str(name) for name in class_names)
        if len(set(names)) < len(names):
            raise BadInput(f"{where}: two of the class names are alike: {', '.join(names)}; rename one")
        return labels.astype(np.int64), names
    found, numbers = np.unique(labels, return_inverse=True)
    return numbers.astype(np.int64), tuple(str(name) for name in found)
