"""Whether pictures are copies of training images."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.gan.measures.metrics import nearest
from jobs.pictures import grid

Array = np.ndarray[Any, Any]

#: Samples, and real images, that are looked for among the training images, pixel by pixel.
PROBES = 2_000
#: Samples in the picture of neighbours, and neighbours of each.
SHOWN, NEIGHBOURS = 10, 5


@dataclass(frozen=True)
class Memorisation:
    """How near samples are to training images.

    Attributes:
        copied: share of samples nearer to a training image than 99 % of these are to any other.
        picture: a PNG file; in each row a sample, then its nearest training images.
    """

    copied: float
    picture: bytes


def memorisation(images: Array, training: Array, seed: int) -> Memorisation:
    """Looks for samples among training images, pixel by pixel; uint8 (count, height, width, channels)."""
    flat = training.reshape(len(training), -1)
    rows = np.random.Generator(np.random.Philox([seed, 5])).permutation(len(flat))[:PROBES]
    usual = nearest(flat[rows], flat, 1, itself=rows).distances[:, 0]
    found = nearest(images[:PROBES].reshape(len(images[:PROBES]), -1), flat, NEIGHBOURS)
    shown = np.concatenate([images[:SHOWN, np.newaxis], training[found.rows[:SHOWN]]], axis=1)
    return Memorisation(
        copied=float((found.distances[:, 0] <= np.quantile(usual, 0.01)).mean()),
        picture=grid(shown.reshape(-1, *training.shape[1:]), columns=1 + NEIGHBOURS),
    )
