"""Images as rows of patches, and where each patch lies."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.selfsupervised.networks.shapes import Array, Shape


def cut(images: tf.Tensor, side: int) -> tf.Tensor:
    """Patches (batch, patches, side * side * channels) of images; black is added at the edges."""
    height, width, channels = images.shape[1:]
    rows, columns = math.ceil(height / side), math.ceil(width / side)
    images = tf.pad(images, ((0, 0), (0, rows * side - height), (0, columns * side - width), (0, 0)))
    patches = tf.reshape(images, (-1, rows, side, columns, side, channels))
    patches = tf.transpose(patches, (0, 1, 3, 2, 4, 5))
    return tf.reshape(patches, (-1, rows * columns, side * side * channels))


def joined(patches: tf.Tensor, side: int, shape: Shape) -> tf.Tensor:
    """The images of patches (batch, patches, pixels), without what was added at their edges."""
    height, width, channels = shape
    rows, columns = math.ceil(height / side), math.ceil(width / side)
    images = tf.reshape(patches, (-1, rows, columns, side, side, channels))
    images = tf.transpose(images, (0, 1, 3, 2, 4, 5))
    return tf.reshape(images, (-1, rows * side, columns * side, channels))[:, :height, :width]


def places(rows: int, columns: int) -> Array:
    """Row and column of each patch, float32 (patches, 2)."""
    grid = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    return np.stack([side.reshape(-1) for side in grid], axis=1).astype(np.float32)


def positions(rows: int, columns: int, width: int) -> Array:
    """Sines and cosines of the patches' places, float32 (patches, width), half of each axis.

    The longest wave has about the length of the image. With the 10,000 that texts have, three quarters of the
    numbers would be the same for all of some ten places, and drown what the patches show.
    """
    quarter = math.ceil(width / 4)
    frequencies = 1.0 / (2.0 * max(rows, columns)) ** (np.arange(quarter) / quarter)
    angles = [place[:, np.newaxis] * frequencies for place in places(rows, columns).T]
    waves = np.concatenate([wave(angle) for angle in angles for wave in (np.sin, np.cos)], axis=1)
    return waves[:, :width].astype(np.float32)


class Patches(keras.layers.Layer):
    """Cuts images into patches, as part of a model."""

    def __init__(self, side: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.side = side

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Patches (batch, patches, side * side * channels)."""
        return cut(images, self.side)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As `call` gives them."""
        _, height, width, channels = shape
        count = math.ceil((height or 0) / self.side) * math.ceil((width or 0) / self.side)
        return (shape[0], count, self.side * self.side * (channels or 0))


class Tokens(keras.layers.Layer):
    """Patches (batch, patches, pixels) to tokens (batch, patches, width) that know their place."""

    def __init__(self, rows: int, columns: int, width: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.project = keras.layers.Dense(width, name="project")
        self.places = positions(rows, columns, width)

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Builds the projection."""
        self.project.build(shape)
        self.built = True

    def call(self, patches: tf.Tensor) -> tf.Tensor:
        """Projects and adds the places."""
        # About as large as the places, or the first thousands of steps would hardly see the pixels.
        return self.project(4.0 * (patches - 0.5)) + self.places
