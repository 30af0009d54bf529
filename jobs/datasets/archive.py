"""A person's own `.npz` of arrays as an `ImageSet`."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from jobs.datasets.images import Array, ImageSet
from jobs.errors import BadInput

#: Names under which images are looked for, and the labels that go with them; the first found counts.
NAMES = (("images", "labels"), ("x", "y"), ("X", "y"), ("x_train", "y_train"), ("X_train", "y_train"))


def read(path: Path) -> ImageSet:
    """Reads images and labels from an `.npz`, under the names in `NAMES`.

    Images are (count, height, width) or (count, height, width, 1 or 3): uint8, other whole numbers from
    0 to 255, booleans, or floats from 0 to 1. Labels are (count,) or (count, 1), whole numbers or names;
    an array `class_names` gives the numbers their names. Nothing pickled is read.

    Raises:
        BadInput: no images, or arrays of another shape or type; the text names the file and the array.
    """
    arrays = _arrays(path)
    for images_name, labels_name in NAMES:
        if images_name in arrays:
            images = _images(arrays[images_name], f"{path}: {images_name!r}")
            if labels_name not in arrays:
                return ImageSet(images)
            where = f"{path}: {labels_name!r}"
            labels, names = _labels(arrays[labels_name], arrays.get("class_names"), len(images), where)
            return ImageSet(images, labels, names)
    raise BadInput(
        f"{path} has no array 'images', 'x' or 'x_train', only {', '.join(sorted(arrays)) or 'nothing'}; "
        "save your images under one of these names"
    )


def _arrays(path: Path) -> dict[str, Array]:
    wanted = {"class_names", *(name for pair in NAMES for name in pair)}
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] if name in wanted else np.empty(0) for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        if "pickle" in str(error).lower():
            raise BadInput(
                f"{path} holds pickled objects, which are not loaded because they could run code; "
                "save plain arrays of numbers instead"
            ) from None
        raise BadInput(f"{path} cannot be read as an .npz file ({error}); save it again") from error


def _images(images: Array, where: str) -> Array:
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise BadInput(f"{where} must be (count, height, width[, 1 or 3]), received {images.shape}")
    if 0 in images.shape:
        raise BadInput(f"{where} has no image: its shape is {images.shape}")
    if images.dtype == np.uint8:
        return images
    if images.dtype == np.bool_:
        return images.astype(np.uint8) * np.uint8(255)
    kind, highest = images.dtype.kind, 1 if images.dtype.kind == "f" else 255
    if kind not in "iuf" or not (images.min() >= 0 and images.max() <= highest):
        found = f", values from {images.min()} to {images.max()}" if kind in "iuf" else ""
        raise BadInput(
            f"{where} must be integers from 0 to 255 or floats from 0 to 1, received {images.dtype}{found}"
        )
    return np.rint(images * 255.0).astype(np.uint8) if kind == "f" else images.astype(np.uint8)


def _labels(
    labels: Array, class_names: Array | None, count: int, where: str
) -> tuple[Array, tuple[str, ...]]:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise BadInput(f"{where} must have one label for each of the {count} images, received {labels.shape}")
    if labels.dtype.kind not in "iuU":
        raise BadInput(f"{where} must be whole numbers or names of classes, received {labels.dtype}")
    if class_names is not None and labels.dtype.kind in "iu":
        return labels.astype(np.int64), tuple(str(name) for name in class_names)
    found, numbers = np.unique(labels, return_inverse=True)
    return numbers.astype(np.int64), tuple(str(name) for name in found)
