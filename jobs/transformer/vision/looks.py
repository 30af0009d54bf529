"""Where a network looks: example images, with the places bright that count most."""

import numpy as np
import tensorflow as tf

from jobs.pictures import grid
from jobs.transformer.vision.learner import Array, predicted
from jobs.transformer.vision.networks.network import Network

#: Images in a picture, in two rows of pairs.
EXAMPLES = 8
#: Brightness that is left of what does not count.
DARK = 0.25


def attention_picture(network: Network, images: Array) -> bytes | None:
    """Images over the same ones lit by attention, as a PNG file; None if the network has none.

    Args:
        network: in training or trained.
        images: uint8 (count, height, width, channels), one at least.
    """
    if not network.encoder.looks:
        return None
    shown = images[:EXAMPLES].astype(np.float32) / 255.0
    weights = predicted(images[:EXAMPLES], lambda batch: _weights(network, batch))  # (count, rows, columns)
    weights = weights / np.maximum(weights.max(axis=(1, 2), keepdims=True), 1e-12)
    height, width, _ = images.shape[1:]
    light = np.asarray(tf.image.resize(weights[..., np.newaxis], (height, width)))
    lit = shown * (DARK + (1.0 - DARK) * light)
    # Of what is black nothing would be seen: the light itself, faintly.
    lit = np.clip(np.maximum(lit, 0.3 * light), 0.0, 1.0)
    return grid(np.concatenate([shown, lit]), columns=len(shown))


def _weights(network: Network, batch: tf.Tensor) -> tf.Tensor:
    return network.encoder.attention(network.standardised(tf.cast(batch, tf.float32) / 255.0))
