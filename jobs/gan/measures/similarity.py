"""How much of one picture's structure another one has. NumPy alone."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: Of the Gaussian window, and the constants of equation 13, times the range of the pixels, squared.
SIGMA, RADIUS, FIRST, SECOND = 1.5, 5, (0.01 * 255) ** 2, (0.03 * 255) ** 2


def structural_similarity(images: Array, others: Array) -> Array:
    """SSIM of pairs of pictures: 1 for equal ones, about 0 for unrelated ones; float64 (count,).

    Wang et al. 2004 (https://doi.org/10.1109/TIP.2003.819861), equation 13, in Gaussian windows of 11 x 11
    with a deviation of 1.5, of the pictures' brightness; at the edges windows go on as in a mirror.

    Args:
        images: uint8 (count, height, width, channels).
        others: the same.
    """
    one, other = brightness(images), brightness(others)
    mean, mean_of_other = blurred(one), blurred(other)
    variance = blurred(one * one) - mean**2
    variance_of_other = blurred(other * other) - mean_of_other**2
    covariance = blurred(one * other) - mean * mean_of_other
    similar = (2 * mean * mean_of_other + FIRST) * (2 * covariance + SECOND)
    similar /= (mean**2 + mean_of_other**2 + FIRST) * (variance + variance_of_other + SECOND)
    return np.asarray(similar.mean(axis=(1, 2)))


def edges_in_common(images: Array, others: Array) -> Array:
    """Share of the edges of two pictures that both have in the same places; float64 (count,) in [0, 1].

    Edges are lengths of brightness gradients, whose sum is 1 in each picture: where one is stronger than in
    the other picture, the excess is not in common. 1 if neither has any.

    Args:
        images: uint8 (count, height, width, channels).
        others: the same.
    """
    one, other = (_edges(brightness(each)) for each in (images, others))
    common = np.minimum(one, other).sum(axis=(1, 2))
    none = (one.sum(axis=(1, 2)) == 0) & (other.sum(axis=(1, 2)) == 0)
    return np.asarray(np.where(none, 1.0, common))


def brightness(images: Array) -> Array:
    """Mean of the channels, float64 (count, height, width)."""
    return np.asarray(images.astype(np.float64).mean(axis=3))


def blurred(images: Array) -> Array:
    """Weighted mean around each pixel, float64 (count, height, width)."""
    weights = np.exp(-(np.arange(-RADIUS, RADIUS + 1) ** 2) / (2 * SIGMA**2))
    weights /= weights.sum()
    found: Array = images
    for axis in (1, 2):
        padding = [(0, 0)] * 3
        padding[axis] = (RADIUS, RADIUS)
        padded, side = np.pad(found, padding, mode="symmetric"), images.shape[axis]
        shifted = [np.take(padded, range(first, first + side), axis=axis) for first in range(len(weights))]
        found = np.tensordot(weights, np.stack(shifted), axes=1)
    return found


def _edges(images: Array) -> Array:
    down, across = np.gradient(images, axis=(1, 2)) if min(images.shape[1:]) > 1 else (images * 0, images * 0)
    lengths = np.hypot(down, across)
    total = lengths.sum(axis=(1, 2), keepdims=True)
    return np.asarray(lengths / np.where(total == 0, 1.0, total))
