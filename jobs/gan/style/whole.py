"""Whole pictures of any size through a generator: padded and cut back, very large ones in tiles."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from jobs.gan.style.networks.size import Size
from jobs.gan.style.painting import Painter, to_bytes, to_floats

Array = np.ndarray[Any, Any]

#: Sides of a tile in pixels, and how far it reaches into the next one, over which the two are blended.
TILE, OVERLAP = 1024, 128
#: That of the unpaired methods, as far as sides go.
USUAL = Size(channels=1, blocks=1)


def translated(draw: Painter, picture: Array, size: Size = USUAL) -> Array:
    """One picture into another of the same size; by itself, in no batch.

    Args:
        draw: the generator.
        picture: uint8 (height, width, channels).
        size: of the generator.
    """
    height, width, _ = picture.shape
    multiple = size.multiple
    wanted = [max(size.smallest_side, -(-side // multiple) * multiple) for side in (height, width)]
    # More on the right and below, where it is cut off again.
    padded = np.pad(picture, [(0, wanted[0] - height), (0, wanted[1] - width), (0, 0)], mode="reflect")
    images = to_floats(padded)
    drawn = draw(images[np.newaxis])[0] if max(wanted) <= TILE else _in_tiles(draw, images, multiple)
    return to_bytes(drawn)[:height, :width]


def _in_tiles(draw: Painter, image: Array, multiple: int) -> Array:
    """A weighted mean of tiles, each of which counts less towards its edges; float32 as the image is."""
    total, weights = np.zeros_like(image), np.zeros((*image.shape[:2], 1), np.float32)
    for rows, down in _stretches(image.shape[0], multiple):
        for columns, across in _stretches(image.shape[1], multiple):
            weight = (down[:, np.newaxis] * across)[..., np.newaxis]
            total[rows, columns] += weight * draw(image[np.newaxis, rows, columns])[0]
            weights[rows, columns] += weight
    return total / weights


def _stretches(side: int, multiple: int) -> Iterator[tuple[slice, Array]]:
    """Stretches of a side that overlap, with the weight of each of their places, float32."""
    length = min(TILE, side)
    count = 1 if side <= TILE else -(-(side - OVERLAP) // (TILE - OVERLAP))
    for number in range(count):
        first = (side - length) * number // max(1, count - 1) // multiple * multiple
        end = side if number == count - 1 else first + length
        places = np.arange(end - first, dtype=np.float32)
        weight = np.ones(end - first, np.float32)
        if number:
            weight = np.minimum(weight, (places + 1) / (OVERLAP + 1))
        if number < count - 1:
            weight = np.minimum(weight, (end - first - places) / (OVERLAP + 1))
        yield slice(first, end), weight
