"""The way from one image to the next, through the space of latents."""

from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def round_trip(latents: Array, steps: int) -> Array:
    """From each of the latents (count, latent_dim) to the next, and from the last back to the first.

    Returns:
        float32 (count * steps, latent_dim); every `steps`-th is one of the given ones.
    """
    shares = np.arange(steps) / steps
    closed = [*latents, latents[0]]
    path = [spherical(start, end, share) for start, end in pairwise(closed) for share in shares]
    return np.stack(path).astype(np.float32)


def spherical(start: Array, end: Array, share: float) -> Array:
    """The point at a share (0 to 1) of the arc from one latent (latent_dim,) to another.

    White 2016 (https://arxiv.org/abs/1609.04468), section 2.1: normal latents lie near a sphere, and a
    straight line leaves it, to where the generator was never trained.
    """
    cosine = np.dot(start, end) / (np.linalg.norm(start) * np.linalg.norm(end))
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    if np.sin(angle) < 1e-6:  # the same direction, or the opposite, between which no arc is the shortest
        between: Array = (1.0 - share) * start + share * end
        return between
    arc: Array = (np.sin((1.0 - share) * angle) * start + np.sin(share * angle) * end) / np.sin(angle)
    return arc
