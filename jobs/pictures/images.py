"""Arrays of images as PNG files; several of these as a GIF."""

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

Array = np.ndarray[Any, Any]


def png(image: Array) -> bytes:
    """One image as a PNG file.

    Args:
        image: (height, width), (height, width, 1) grey or (height, width, 3) colour; uint8, or
            floats in [0, 1], of which values outside are cut off.

    Raises:
        ValueError: another shape or type, or a value that is not a number.
    """
    pixels = _bytes(image)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim != 2 and (pixels.ndim != 3 or pixels.shape[2] != 3):
        raise ValueError(f"an image is (height, width[, 1 or 3]), received {image.shape}")
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png", optimize=False)
    return file.getvalue()


def grid(images: Array, columns: int | None = None, padding: int = 2, smallest: int = 512) -> bytes:
    """Many images of one size as one PNG file, row by row.

    Args:
        images: (count, height, width[, 1 or 3]), as `png` takes them.
        columns: images in a row; by default as many as make the grid square.
        padding: pixels between images and around them, before enlarging.
        smallest: the grid is enlarged by a whole number until its width reaches this, so that small
            images can be seen; 0 keeps their size.

    Raises:
        ValueError: no image, or another shape or type.
    """
    pixels = _bytes(images)
    if pixels.ndim == 3:
        pixels = pixels[..., np.newaxis]
    if pixels.ndim != 4 or len(pixels) == 0:
        raise ValueError(f"images are (count, height, width[, 1 or 3]), received {images.shape}")
    count, height, width, channels = pixels.shape
    columns = min(columns or math.ceil(math.sqrt(count)), count)
    rows = math.ceil(count / columns)
    tall, wide = height + padding, width + padding
    sheet = np.zeros((rows * tall + padding, columns * wide + padding, channels), np.uint8)
    for number, image in enumerate(pixels):
        top, left = padding + number // columns * tall, padding + number % columns * wide
        sheet[top : top + height, left : left + width] = image
    factor = max(1, math.ceil(smallest / sheet.shape[1]))
    return png(sheet.repeat(factor, axis=0).repeat(factor, axis=1))


def gif(frames: Sequence[bytes], milliseconds: int = 100) -> bytes:
    """PNG files of one size as an animated GIF, which begins again at its end.

    Args:
        frames: such as `grid` makes.
        milliseconds: how long each is shown, in steps of ten; the last one five times as long.

    Raises:
        ValueError: no frame.
    """
    if not frames:
        raise ValueError("an animation needs at least one frame")
    pictures = [Image.open(io.BytesIO(frame)).convert("RGB") for frame in frames]
    shown = [milliseconds] * (len(pictures) - 1) + [5 * milliseconds]
    file = io.BytesIO()
    pictures[0].save(file, "gif", save_all=True, append_images=pictures[1:], duration=shown, loop=0)
    return file.getvalue()


def _bytes(images: Array) -> Array:
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"pixels are uint8 or floats in [0, 1], received {images.dtype}")
    if np.isnan(images).any():
        raise ValueError("pixels are floats in [0, 1], received a NaN")
    return np.rint(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)
