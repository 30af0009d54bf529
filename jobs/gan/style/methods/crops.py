"""Random crops and flips, a function of (seed, step): what a step sees of the pictures in its batch."""

import tensorflow as tf

from jobs.training.draws import fork, philox_uniform


def cropped(images: tf.Tensor, side: int, seed: tf.Tensor, *, flip: bool) -> tf.Tensor:
    """A square of each image at a random place, half of them mirrored if wanted.

    Args:
        images: uint8 (batch, height, width, channels), no side shorter than `side`.
        side: of the squares.
        seed: int64 (2,); equal seeds crop equally, which pairs rely on.
        flip: whether left and right are exchanged at random.

    Returns:
        uint8 (batch, side, side, channels).
    """
    batch, height, width, _ = images.shape
    draws = philox_uniform((3, batch), fork(seed, 0))
    for axis, length in ((1, height), (2, width)):
        if length > side:
            first = tf.cast(tf.floor(draws[axis - 1] * (length - side + 1)), tf.int32)
            places = first[:, tf.newaxis] + tf.range(side)[tf.newaxis]  # (batch, side)
            images = tf.gather(images, places, axis=axis, batch_dims=1)
    if flip:
        mirrored = (draws[2] < 0.5)[:, tf.newaxis, tf.newaxis, tf.newaxis]
        images = tf.where(mirrored, tf.reverse(images, axis=[2]), images)
    return images


def as_floats(images: tf.Tensor, channels: int) -> tf.Tensor:
    """From uint8 to float32 in [-1, 1]; grey ones with three equal channels where colours are wanted."""
    scaled = tf.cast(images, tf.float32) / 127.5 - 1.0
    return tf.repeat(scaled, channels, axis=3) if images.shape[3] < channels else scaled
