"""Pictures through a generator."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Array = np.ndarray[Any, Any]
Painter = Callable[[Array], Array]

#: Pictures in a call, so that a picture does not depend on how many others there are.
BATCH = 32
#: Red, green and blue in the brightness of a colour (ITU-R BT.601).
BRIGHTNESS = (0.299, 0.587, 0.114)


def painter(network: keras.Model, channels: int) -> Painter:
    """What translates float32 (batch, height, width, channels) in [-1, 1], of any size, into the same."""
    draw = tf.function(
        lambda images: network(images, training=False)[0],
        input_signature=[tf.TensorSpec((None, None, None, channels), tf.float32)],
        autograph=False,
    )
    return lambda images: np.asarray(draw(tf.constant(images)))


def paint(draw: Painter, images: Array) -> Array:
    """Translates uint8 (count, height, width, channels), whose sides are multiples of 4, into the same."""
    painted = np.empty_like(images)
    for first in range(0, len(images), BATCH):
        part = images[first : first + BATCH]
        padded = np.zeros((BATCH, *images.shape[1:]), np.float32)
        padded[: len(part)] = to_floats(part)
        painted[first : first + BATCH] = to_bytes(draw(padded)[: len(part)])
    return painted


def to_floats(images: Array) -> Array:
    """From uint8 to float32 in [-1, 1]."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def to_bytes(images: Array) -> Array:
    """Back again, rounded to the nearest."""
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)


def fitted(images: Array, channels: int) -> Array:
    """Pictures with as many channels as are wanted: grey ones three times, or the brightness of colours."""
    if images.shape[3] == channels:
        return images
    if channels == 3:
        return images.repeat(3, axis=3)
    grey: Array = np.rint(images @ np.array(BRIGHTNESS, np.float32)).astype(np.uint8)
    return grey[..., np.newaxis]
