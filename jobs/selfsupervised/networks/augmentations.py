"""Random changes that leave an image what it is, as Keras layers without a state.

Each draw is a function of the seed that the layer is called with, so a step of a training that goes on sees
the views that an undisturbed one sees.
"""

from typing import Any, TypeAlias

import keras
import tensorflow as tf

#: int64 (2,)
Seed: TypeAlias = tf.Tensor


def uniform(shape: tuple[int, ...], seed: Seed, low: float = 0.0, high: float = 1.0) -> tf.Tensor:
    """Uniform numbers in [low, high), float32, a function of the seed; compiled by XLA or not."""
    return tf.random.stateless_uniform(shape, seed, low, high, alg="philox")


def normal(shape: tuple[int, ...], seed: Seed) -> tf.Tensor:
    """Standard normal numbers, float32, a function of the seed; compiled by XLA or not."""
    return tf.random.stateless_normal(shape, seed, alg="philox")


def fork(seed: Seed, number: int) -> Seed:
    """A seed for the draw of this number, int64 (2,); `seed` is (seed of the job, step)."""
    # A step has fewer than 1024 draws, so no two draws of a training share a seed.
    return tf.stack([seed[0], seed[1] * 1024 + number])


class RandomAffine(keras.layers.Layer):
    """Turns, scales, stretches, shears and shifts each image, and mirrors some; zeros come in at the edges.

    Args:
        strength: 1 turns by up to 0.35 radians, scales by up to 1/4, shears by up to 0.3 and shifts by up to
            1/8 of the image.
        flip: whether half of the images are mirrored.
    """

    def __init__(self, strength: float, flip: bool, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.strength = strength
        self.flip = flip

    def call(self, images: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Changes images, float32 (batch, height, width, channels)."""
        batch, height, width, _ = images.shape
        draws = tf.unstack(uniform((7, batch), seed, -1.0, 1.0) * self.strength)
        turn, scale, stretch, shear, down, right = draws[:6]
        angle, shear = 0.35 * turn, 0.3 * shear
        tall, wide = tf.exp(0.22 * scale + 0.15 * stretch), tf.exp(0.22 * scale - 0.15 * stretch)
        if self.flip:
            wide *= tf.where(draws[6] < 0.0, -1.0, 1.0)
        # Where an output pixel comes from: (x, y) around the centre is stretched, sheared and turned.
        cos, sin = tf.cos(angle), tf.sin(angle)
        a, b = cos * wide, (cos * shear - sin) * tall
        c, d = sin * wide, (sin * shear + cos) * tall
        x, y = (width - 1) / 2.0, (height - 1) / 2.0
        e = x - a * x - b * y + right * width / 8.0
        f = y - c * x - d * y + down * height / 8.0
        zero = tf.zeros_like(a)
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=tf.stack([a, b, e, c, d, f, zero, zero], axis=1),  # (batch, 8)
            output_shape=[height, width],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="CONSTANT",
        )


class RandomLight(keras.layers.Layer):
    """Changes contrast and brightness, and of colour images each channel by itself.

    Args:
        strength: 1 scales by up to 0.4 and, of colours, each channel by up to 0.2 more.
    """

    def __init__(self, strength: float, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.strength = strength

    def call(self, images: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Changes images, float32 (batch, height, width, channels) in [0, 1]."""
        batch, channels = images.shape[0], images.shape[3]
        draws = uniform((batch, 1, 1, 1 + channels), seed, -1.0, 1.0) * self.strength
        scale = 1.0 + 0.4 * draws[..., :1]
        if channels > 1:
            scale += 0.2 * draws[..., 1:]
        return tf.clip_by_value(images * scale, 0.0, 1.0)


class RandomErase(keras.layers.Layer):
    """Blackens a rectangle of each image (DeVries and Taylor 2017, https://arxiv.org/abs/1708.04552).

    Args:
        strength: 1 takes sides of up to 0.45 of the image's.
    """

    def __init__(self, strength: float, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.strength = strength

    def call(self, images: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Changes images, float32 (batch, height, width, channels)."""
        batch, height, width, _ = images.shape
        draws = uniform((4, batch, 1), seed)
        rows = self._within(height, draws[0], draws[1])  # (batch, height)
        columns = self._within(width, draws[2], draws[3])  # (batch, width)
        hole = rows[:, :, tf.newaxis, tf.newaxis] * columns[:, tf.newaxis, :, tf.newaxis]
        return images * (1.0 - hole)

    def _within(self, side: int, place: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """1 for the pixels of a side that the hole covers, else 0."""
        half = 0.5 * 0.45 * self.strength * size * side
        return tf.cast(tf.abs(tf.range(side, dtype=tf.float32) - place * side) < half, tf.float32)


class Views(keras.layers.Layer):
    """One random view of each image: all of the changes in turn.

    Args:
        strength: of every change; 0 leaves the images as they are.
        flip: whether half of the images are mirrored.
    """

    def __init__(self, strength: float, flip: bool, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.changes: list[Any] = [
            RandomAffine(strength, flip, name="affine"),
            RandomLight(strength, name="light"),
            RandomErase(strength, name="erase"),
        ]

    def call(self, images: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Changes images, float32 (batch, height, width, channels) in [0, 1]."""
        for number, change in enumerate(self.changes):
            images = change(images, fork(seed, number))
        return images
