"""A network as an OpenVINO graph, built from its weights operation by operation."""

from typing import Any

import numpy as np

from jobs.transformer.bulk.operations import array_of
from jobs.transformer.vision.engines import pretext, swin
from jobs.transformer.vision.engines.pieces import Pieces
from jobs.transformer.vision.networks.network import Network

#: Of each architecture, what makes one vector of an image, (images, width).
FEATURES = {"swin": swin.features, "masked": pretext.masked, "convolutional": pretext.convolutional}


def graph_of(openvino: Any, network: Network, rows: int, precision: str) -> Any:
    """A model with the logits, float32 (rows, classes), of images uint8 (rows, height, width, channels).

    The same mathematics as `Network.logits`; its number of images is fixed, so that no bit of an output
    depends on how many others are computed with it.

    Args:
        openvino: the imported library.
        network: trained.
        rows: images of a call.
        precision: see `Operations`.
    """
    pieces = Pieces(rows, precision)
    ops, plan = pieces.ops, network.plan
    images = ops.parameter([rows, *plan.shape], np.uint8, name="images")
    scale = 1.0 / (255.0 * np.array(plan.deviation, np.float64))
    offset = -np.array(plan.mean, np.float64) / np.array(plan.deviation, np.float64)
    scaled = ops.multiply(ops.convert(images, "f32"), pieces.constant(scale.astype(np.float32)))
    standardised = ops.add(scaled, pieces.constant(offset.astype(np.float32)))
    features = FEATURES.get(plan.architecture, _transformer)(pieces, network.encoder, standardised)
    return openvino.Model([pieces.head(network.head, features)], [images], plan.architecture)


def _transformer(pieces: Pieces, encoder: Any, images: Any) -> Any:
    """See `networks.encoder.Transformer`: of the compact one or the plain one."""
    ops = pieces.ops
    tokens = _convolved(pieces, encoder, images) if encoder.compact else pieces.patches(encoder, images)
    if not encoder.compact:
        first = array_of(encoder.first)[np.newaxis]
        repeated = np.broadcast_to(first, (pieces.rows, *first.shape[1:]))
        tokens = ops.concat([pieces.constant(np.ascontiguousarray(repeated)), tokens], 1)
    hidden = ops.add(tokens, pieces.constant(array_of(encoder.positions)))
    for block in encoder.blocks:
        size = block.width // block.heads
        normed = pieces.norm(block.attention_norm, hidden)
        hidden = ops.add(hidden, pieces.self_attention(block, normed, block.heads, size))
        hidden = ops.add(hidden, pieces.feed_forward(block, pieces.norm(block.dense_norm, hidden)))
    normed = pieces.norm(encoder.last, hidden)
    if not encoder.compact:
        read = ops.gather(normed, pieces.integers(list(range(encoder.reads))), 1)
        return ops.reshape(read, pieces.integers([pieces.rows, -1]), special_zero=False)
    weights = ops.softmax(pieces.head(encoder.pool, normed), 1)  # (images, tokens, 1)
    return ops.squeeze(ops.matmul(weights, normed, True, False), [1])


def _convolved(pieces: Pieces, encoder: Any, images: Any) -> Any:
    """See `networks.tokens.ConvolutionTokens`."""
    ops = pieces.ops
    hidden = ops.transpose(images, pieces.integers([0, 3, 1, 2]))
    for layer in encoder.tokens.convolutions:
        hidden = ops.relu(pieces.convolution(array_of(layer.kernel), hidden, 1))
        # An even side is padded at its end, as TensorFlow does.
        hidden = ops.max_pool(hidden, [2, 2], [1, 1], [0, 0], [0, 0], [3, 3], "floor", "same_upper").output(0)
    last = ops.transpose(hidden, pieces.integers([0, 2, 3, 1]))
    return pieces.flattened(last, encoder.rows * encoder.columns)
