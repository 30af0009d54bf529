"""What the simplest methods reach on pixels, to stand beside a network's figures."""

import numpy as np

from jobs.probes import flat, knn_accuracy, linear_accuracy
from jobs.transformer.vision.asking import Array

#: Images that the methods learn from, and are asked about, at most.
MOST = 5_000
#: Side to which larger images are reduced first, in pixels.
SIDE = 32


def baselines(images: Array, labels: Array, queries: Array, wanted: Array) -> dict[str, float]:
    """Accuracy by method.

    Args:
        images: to learn from, uint8 (count, height, width, channels).
        labels: of these, int64 (count,).
        queries: to be told apart, of the same shape.
        wanted: int64, their classes.
    """
    known, asked = flat(reduced(images)), flat(reduced(queries))
    commonest = np.bincount(labels).argmax()
    everything = np.arange(len(known))
    return {
        "majority": float((wanted == commonest).mean()),
        "nearest_neighbour": knn_accuracy(known, labels, asked, wanted, k=1),
        "logistic_regression": linear_accuracy(known, labels, everything, asked, wanted),
    }


def reduced(images: Array) -> Array:
    """Images whose sides are at most `SIDE` pixels or so: means over squares, without what is left over."""
    factor = -(-max(images.shape[1:3]) // SIDE)
    if factor == 1:
        return images
    count, height, width, channels = images.shape
    tall, wide = max(1, height // factor), max(1, width // factor)
    high, broad = min(height, tall * factor), min(width, wide * factor)
    squares = images[:, :high, :broad].reshape(count, tall, high // tall, wide, broad // wide, channels)
    means: Array = np.rint(squares.mean(axis=(2, 4))).astype(np.uint8)
    return means
