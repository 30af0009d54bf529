"""Two images in one, with both of their classes: MixUp and CutMix, as functions of the seed alone.

Keras's layers of these names draw from a state of their own, and so depend on how often they were called.
"""

import tensorflow as tf

from jobs.selfsupervised.networks.augmentations import Seed, fork, uniform


def mixed(
    images: tf.Tensor, targets: tf.Tensor, seed: Seed, mixup: float, cutmix: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """A batch in which each image is mixed with the one as far from the other end.

    With both, each batch is mixed in one way or the other, half of them each.

    Args:
        images: float32 (batch, height, width, channels).
        targets: the share of each class, float32 (batch, classes).
        seed: int64 (2,).
        mixup: a of the beta distribution Beta(a, a) of the shares; 0 = no MixUp.
        cutmix: likewise; 0 = no CutMix.
    """
    if not mixup and not cutmix:
        return images, targets
    batch, height, width, _ = images.shape
    partners, their_targets = tf.reverse(images, [0]), tf.reverse(targets, [0])
    if not cutmix:
        mask = mixup_mask(batch, seed, mixup)
    elif not mixup:
        mask = cutmix_mask((batch, height, width), seed, cutmix)
    else:
        box = cutmix_mask((batch, height, width), seed, cutmix)
        shares = mixup_mask(batch, seed, mixup) + tf.zeros_like(box)
        mask = tf.where(uniform((), fork(seed, 43)) < 0.5, shares, box)
    share = tf.reduce_mean(mask, axis=(1, 2))  # (batch, 1)
    return mask * images + (1.0 - mask) * partners, share * targets + (1.0 - share) * their_targets


def mixup_mask(batch: int, seed: Seed, a: float) -> tf.Tensor:
    """The share of each image in its mixture, float32 (batch, 1, 1, 1).

    Zhang et al. 2018 (https://arxiv.org/abs/1710.09412), equation 2.
    """
    return beta((batch,), fork(seed, 40), a)[:, tf.newaxis, tf.newaxis, tf.newaxis]


def cutmix_mask(shape: tuple[int, int, int], seed: Seed, a: float) -> tf.Tensor:
    """1 where the image stays, 0 in the box that the other one covers, float32 (batch, height, width, 1).

    Yun et al. 2019 (https://arxiv.org/abs/1905.04899), equation 2: the box has the sides of the image times
    sqrt(1 - share) around a place drawn at random, and is cut at the edges.
    """
    batch, height, width = shape
    side = tf.sqrt(1.0 - beta((batch,), fork(seed, 41), a))
    places = uniform((2, batch), fork(seed, 42))
    rows = _within(height, places[0], side)
    columns = _within(width, places[1], side)
    return 1.0 - rows[:, :, tf.newaxis, tf.newaxis] * columns[:, tf.newaxis, :, tf.newaxis]


def beta(shape: tuple[int, ...], seed: Seed, a: float) -> tf.Tensor:
    """Numbers of Beta(a, a), float32, a function of the seed: the share of one of two gammas in their sum."""
    both = tf.random.stateless_gamma((2, *shape), seed, a, dtype=tf.float32)
    # Of a small `a` both may be too small for a float: then neither image is preferred.
    return (both[0] + 1e-30) / (both[0] + both[1] + 2e-30)


def _within(side: int, place: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """1 for the pixels of a side that the box covers, float32 (batch, side)."""
    pixels = tf.range(side, dtype=tf.float32) + 0.5
    half = size[:, tf.newaxis] * side / 2.0
    return tf.cast(tf.abs(pixels - place[:, tf.newaxis] * side) < half, tf.float32)
