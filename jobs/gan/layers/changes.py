"""Differentiable changes of the images that the discriminator sees (Zhao et al. 2020).

*Differentiable Augmentation for Data-Efficient GAN Training*, https://arxiv.org/abs/2006.10738, equations 3
to 5: real and generated images are changed alike, and the generator's gradient comes through the change. So
few images are not learnt by heart, and the changes do not leak into what is drawn. The policy is the paper's:
colour, translation, cutout. Each draw is a function of the seed.
"""

import tensorflow as tf

from jobs.training.draws import fork, philox_uniform

#: Of the image's side: how far it is moved, and the side of the hole.
_MOVED, _HOLE = 1 / 8, 1 / 2


def changed(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """One random change of each image, float32 (batch, height, width, channels) in [-1, 1].

    Args:
        images: real or generated.
        seed: int64 (2,).
    """
    return cut_out(moved(coloured(images, fork(seed, 0)), fork(seed, 1)), fork(seed, 2))


def coloured(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Another brightness (by up to 0.5), contrast (by 0.5 to 1.5) and, of colours, saturation (by 0 to 2)."""
    draws = philox_uniform((3, images.shape[0], 1, 1, 1), seed)
    images += draws[0] - 0.5
    if images.shape[3] > 1:
        grey = tf.reduce_mean(images, axis=3, keepdims=True)
        images = (images - grey) * (2.0 * draws[1]) + grey
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return (images - mean) * (draws[2] + 0.5) + mean


def moved(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Moved by up to an eighth of each side; black comes in."""
    batch, height, width, _ = images.shape
    draws = 2.0 * philox_uniform((2, batch), seed) - 1.0
    down, right = (
        tf.cast(tf.round(draw * _MOVED * side), tf.int32)
        for draw, side in zip(tf.unstack(draws), (height, width), strict=True)
    )
    rows, row_is_there = _from(height, down)  # (batch, height)
    columns, column_is_there = _from(width, right)  # (batch, width)
    images = tf.gather(images + 1.0, rows, axis=1, batch_dims=1)
    images = tf.gather(images, columns, axis=2, batch_dims=1)
    there = row_is_there[:, :, tf.newaxis, tf.newaxis] * column_is_there[:, tf.newaxis, :, tf.newaxis]
    return images * there - 1.0


def _from(side: int, offsets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Which old place each new one shows, int32 (batch, side), and 1.0 where there is one, else 0.0."""
    places = tf.range(side)[tf.newaxis, :] - offsets[:, tf.newaxis]
    there = tf.cast((places >= 0) & (places < side), tf.float32)
    return tf.clip_by_value(places, 0, side - 1), there


def cut_out(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A grey square of half the sides, anywhere, partly outside as well."""
    batch, height, width, _ = images.shape
    draws = philox_uniform((2, batch, 1), seed)
    rows, columns = (
        tf.cast(tf.abs(tf.range(side, dtype=tf.float32) - draw * side) < _HOLE * side / 2, tf.float32)
        for draw, side in zip(tf.unstack(draws), (height, width), strict=True)
    )
    return images * (1.0 - rows[:, :, tf.newaxis, tf.newaxis] * columns[:, tf.newaxis, :, tf.newaxis])
