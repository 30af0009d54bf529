"""A person's own images, a folder or an `.npz`, as one checked `ImageSet`. Needs NumPy and Pillow only."""

from pathlib import Path

import numpy as np
from PIL import Image

from jobs.datasets import archive, folder
from jobs.datasets.images import Array, ImageSet
from jobs.errors import BadInput

Size = tuple[int, int]


def pack(path: Path, size: Size | None = None) -> ImageSet:
    """Reads a folder of images or an `.npz` of arrays; `folder.read` and `archive.read` say what they take.

    Args:
        path: the folder or the file.
        size: (height, width) in pixels to which every image is resized; proportions are not kept.

    Raises:
        BadInput: nothing to read, or something unreadable; the text names the file and the remedy.
    """
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise BadInput(f"size must be two positive numbers, (height, width), received {size}")
    if path.is_dir():
        return folder.read(path, size)
    if not path.exists():
        raise BadInput(f"there is no {path}; give a folder of images or an .npz file")
    if path.suffix.lower() != ".npz":
        raise BadInput(f"{path} is neither a folder nor an .npz file; put your images into a folder")
    images = archive.read(path)
    return images if size is None or images.shape[:2] == tuple(size) else _resized(images, size)


def _resized(images: ImageSet, size: Size) -> ImageSet:
    height, width = size
    grey = images.shape[2] == 1
    resized: list[Array] = [
        np.asarray(
            Image.fromarray(image[:, :, 0] if grey else image).resize(
                (width, height), Image.Resampling.LANCZOS
            )
        )
        for image in images.images
    ]
    stacked = np.stack(resized).reshape(len(images), height, width, images.shape[2])
    return ImageSet(stacked, images.labels, images.class_names)
