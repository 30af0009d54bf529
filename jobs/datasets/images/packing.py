"""A person's own images, a folder or an `.npz`, as one checked `ImageSet`. Needs NumPy and Pillow only."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.datasets.images import archive, folder
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.images.picture import Pages
from jobs.datasets.images.values import Range
from jobs.datasets.mapped import on_disk
from jobs.errors import BadInput

Size = tuple[int, int]


def pack(
    path: Path,
    size: Size | None = None,
    range: tuple[float, float] | None = None,
    pages: Pages | None = None,
) -> ImageSet:
    """Reads a folder of images or an `.npz` of arrays; `folder.read` and `archive.read` say what they take.

    Args:
        path: the folder or the file.
        size: (height, width) in pixels to which every image is resized; proportions are not kept.
        range: the values that become black and white; by default they are told from the values themselves.
        pages: which pictures of a file with several are images, `first` or `all`.

    Raises:
        BadInput: nothing to read, or something unreadable; the text names the file and the remedy.
    """
    values = checked_range(range)
    if pages not in (None, "first", "all"):
        raise BadInput(f"pages is 'first' or 'all', received {pages!r}")
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise BadInput(f"size must be two positive numbers, (height, width), received {size}")
    if path.is_dir():
        return folder.read(path, size, values, pages)
    if not path.exists():
        raise BadInput(f"there is no {path}; give a folder of images or an .npz file")
    if path.suffix.lower() != ".npz":
        raise BadInput(f"{path} is neither a folder nor an .npz file; put your images into a folder")
    images = archive.read(path, values)
    return images if size is None else resized(images, size)


def checked_range(given: tuple[float, float] | None) -> Range | None:
    """What a person says of the values that become black and white.

    Raises:
        BadInput: it is no range.
    """
    if given is None:
        return None
    if len(given) != 2 or not all(map(math.isfinite, given)) or given[0] >= given[1]:
        raise BadInput(f"range is two numbers, the lower first, such as (0, 4095), received {given}")
    return Range(*given)


def resized(images: ImageSet, size: Size) -> ImageSet:
    """All images at another size."""
    if images.shape[:2] == tuple(size):
        return images
    height, width = size
    smaller = on_disk((len(images), height, width, images.shape[2]))
    grey = images.shape[2] == 1
    for number, image in enumerate(images.images):
        picture = Image.fromarray(image[:, :, 0] if grey else image)
        scaled = np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))
        smaller[number] = scaled.reshape(height, width, -1)
    return replace(images, images=smaller)
