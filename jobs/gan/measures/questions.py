"""What a network has to tell of images, so that its features say what these show: see `features.py`."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

Array = np.ndarray[Any, Any]

QUARTER_TURNS = 4
#: All orders of red, green and blue.
ORDERS = np.array(list(itertools.permutations(range(3))))
#: Images are in colour if in such a share of them some pixel's channels differ by so much, of 255.
COLOURED, DIFFERENT = 0.1, 32


@dataclass(frozen=True)
class Questions:
    """Which class an image has, or how it was changed.

    Without labels an image was turned by some quarter turns (Gidaris et al. 2018,
    https://arxiv.org/abs/1803.07728), which takes much of what tells images apart, but not their colours.
    So the channels of colour images are put into another order besides (Lee et al. 2020,
    https://arxiv.org/abs/1910.05872).

    Attributes:
        answers: how many each question has.
        labels: the right ones for all images, int64 (count,); None if it is how images were changed.
    """

    answers: tuple[int, ...]
    labels: Array | None = None

    @property
    def task(self) -> str:
        """What is told, in words."""
        if self.labels is not None:
            return "classes"
        return "rotations and colours" if len(self.answers) > 1 else "rotations"

    def asked(
        self, images: Array, rows: Array, random: np.random.Generator
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Some rows of images as a network sees them, and for each question the right answers (rows,)."""
        batch = square(tf.constant(images[rows]))
        if self.labels is not None:
            return batch, (tf.constant(self.labels[rows]),)
        right = [random.integers(0, count, len(rows)) for count in self.answers]
        changed: Array = batch.numpy()
        changed = np.stack([np.rot90(image, turn) for image, turn in zip(changed, right[0], strict=True)])
        for orders in right[1:]:
            changed = np.take_along_axis(changed, ORDERS[orders][:, np.newaxis, np.newaxis], axis=3)
        return tf.constant(changed), tuple(map(tf.constant, right))


def of_changes(images: Array) -> Questions:
    """How each of uint8 images (count, height, width, channels) was changed; `images` are some of them."""
    return Questions((QUARTER_TURNS, len(ORDERS)) if _in_colour(images) else (QUARTER_TURNS,))


def _in_colour(images: Array) -> bool:
    if images.shape[3] != ORDERS.shape[1]:
        return False
    apart = (images.max(axis=3) - images.min(axis=3)).max(axis=(1, 2))
    return bool((apart >= DIFFERENT).mean() >= COLOURED)


def square(images: tf.Tensor) -> tf.Tensor:
    """From uint8 to [-1, 1], stretched to a square, of which a quarter turn does not change the shape."""
    scaled = tf.cast(images, tf.float32) / 127.5 - 1.0  # (batch, height, width, channels)
    height, width = images.shape[1:3]
    side = max(height, width)
    return scaled if height == width else tf.image.resize(scaled, (side, side))
