"""Encoders of self-supervised jobs as OpenVINO's operations; see `networks.pretext`."""

from typing import Any

import numpy as np

from jobs.transformer.bulk.operations import array_of
from jobs.transformer.vision.engines.pieces import Pieces


def masked(pieces: Pieces, encoder: Any, images: Any) -> Any:
    """The mean of the tokens, (images, width)."""
    ops, body = pieces.ops, encoder.body
    centred = ops.subtract(pieces.cut(images, encoder.patch), pieces.constant(np.float32(0.5)))
    patches = ops.multiply(centred, pieces.constant(np.float32(4)))
    hidden = ops.add(pieces.dense(encoder.tokens.project, patches), pieces.constant(encoder.tokens.places))
    apart = body.places[:, np.newaxis] - body.places
    distances = np.sqrt(np.square(apart).sum(axis=2))  # (tokens, tokens)
    for block in body.blocks:
        nearness = -distances * block.slopes[:, np.newaxis, np.newaxis]  # (heads, tokens, tokens)
        bias = pieces.constant(nearness[np.newaxis])
        normed = pieces.norm(block.before_attention, hidden)
        size = block.inner // block.heads
        hidden = ops.add(hidden, pieces.self_attention(block, normed, block.heads, size, bias))
        hidden = ops.add(hidden, pieces.feed_forward(block, pieces.norm(block.before_dense, hidden)))
    return ops.reduce_mean(pieces.norm(body.normalise, hidden), pieces.integers([1]), False)


def convolutional(pieces: Pieces, encoder: Any, images: Any) -> Any:
    """The embedding, (images, width)."""
    ops = pieces.ops
    layers = {layer.name: layer for layer in encoder.convolutions.layers}
    hidden = ops.transpose(images, pieces.integers([0, 3, 1, 2]))
    number = 0
    while (layer := layers.get(f"convolution_{number}")) is not None:
        normalise = layers[f"normalisation_{number}"]
        deviation = np.sqrt(array_of(normalise.moving_variance) + normalise.epsilon)
        scale = array_of(normalise.gamma) / deviation
        offset = array_of(normalise.beta) - array_of(normalise.moving_mean) * scale
        found = pieces.convolution(array_of(layer.kernel) * scale, hidden, 2)
        hidden = ops.relu(ops.add(found, pieces.constant(offset[:, np.newaxis, np.newaxis])))
        number += 1
    flat = ops.reshape(ops.transpose(hidden, pieces.integers([0, 2, 3, 1])), pieces.integers([0, -1]), True)
    return pieces.dense(layers["embedding"], flat)
