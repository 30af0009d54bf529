"""How near translated pictures are to their true partners, beside two simple methods."""

import numpy as np

from jobs.datasets.images.image_set import Array
from jobs.gan.measures.similarity import structural_similarity
from jobs.gan.style.data import Sets, squares
from jobs.gan.style.painting import Painter, paint
from jobs.gan.style.uses import PartnerScores

#: Pictures that tell the target's colours, at most.
COLOURS = 1_000
#: A mean squared error below this counts as this, so that equal pictures have 100 dB.
LEAST_ERROR = 1e-10


def scores(before: Array, shifted: Array, after: Array, partners: Array) -> PartnerScores:
    """Of pictures as they were, with shifted colours, and translated.

    Each is uint8 (pairs, height, width, channels), as their partners are.
    """
    found: dict[str, float] = {}
    for prefix, images in (("source_", before), ("shifted_", shifted), ("", after)):
        found[f"{prefix}l1"] = mean_difference(images, partners)
        found[f"{prefix}psnr"] = signal_to_noise(images, partners)
        found[f"{prefix}structural_similarity"] = float(structural_similarity(images, partners).mean())
    return PartnerScores(pairs=len(partners), **found)


def mean_difference(images: Array, partners: Array) -> float:
    """Mean absolute difference of the pixels, of a range of 1."""
    return float(np.mean([np.abs(_exact(*pair)).mean() for pair in zip(images, partners, strict=True)]))


def signal_to_noise(images: Array, partners: Array) -> float:
    """10 log10(1 / mean squared error) of each picture, of a range of 1; their mean, in decibels."""
    errors = [np.square(_exact(*pair)).mean() for pair in zip(images, partners, strict=True)]
    return float(np.mean(-10 * np.log10(np.maximum(errors, LEAST_ERROR))))


def colours_shifted(images: Array, target: Array) -> Array:
    """The simplest method: mean and deviation of each channel over all pictures become the target's.

    Reinhard et al. 2001 (https://doi.org/10.1109/38.946629), over sets and in red, green and blue.
    """
    exact = images.astype(np.float64)
    mean, deviation = exact.mean(axis=(0, 1, 2)), exact.std(axis=(0, 1, 2))
    wanted, spread = target.mean(axis=(0, 1, 2)), target.std(axis=(0, 1, 2))
    shifted = (exact - mean) * (spread / np.maximum(deviation, 1e-6)) + wanted
    found: Array = np.clip(np.rint(shifted), 0, 255).astype(np.uint8)
    return found


def validated(draw: Painter, sets: Sets, seed: int) -> PartnerScores | None:
    """On the pairs that a training has held out; None if there are none."""
    if not len(sets.held_out):
        return None
    before, partners = (
        squares(images, sets.held_out, sets.crop, sets.channels, seed)
        for images in (sets.source, sets.target)
    )
    colours = squares(sets.target, sets.learnt[:COLOURS], sets.crop, sets.channels, seed)
    return scores(before, colours_shifted(before, colours), paint(draw, before), partners)


def _exact(image: Array, partner: Array) -> Array:
    difference: Array = (image.astype(np.float64) - partner) / 255
    return difference
