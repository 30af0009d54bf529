"""`Blocks` in a graph that XLA does not compile as a whole: one compiled pass each way between products.

The mathematics and the variables are those of `jobs.selfsupervised.networks.blocks`; the last bits are not.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.selfsupervised.networks.blocks import Block, Blocks
from jobs.transformer.encoder.fused import add_bias, bias_gelu
from jobs.transformer.encoder.prenorm import add_norm, norm

Gradient = Callable[..., Any]


def forward(blocks: Blocks, tokens: tf.Tensor) -> tf.Tensor:
    """All blocks and the last normalisation.

    Args:
        blocks: built for so many places as a batch has tokens, all of which are shown.
        tokens: float32 (batch * places, width).
    """
    apart = blocks.places[:, np.newaxis] - blocks.places[np.newaxis]
    distances = np.sqrt(np.square(apart).sum(axis=2)).astype(np.float32)
    share = tf.ones((tf.shape(tokens)[0], 1))
    norms = [*(block.before_attention for block in blocks.blocks), blocks.normalise]
    total, normed = tokens, norm(tokens, *_scale_and_offset(norms[0]), tf.float32)
    for block, following in zip(blocks.blocks, norms[1:], strict=True):
        mixed = tf.matmul(_attended(block, normed, distances), block.merge.kernel.value)
        bias = block.merge.bias.value
        total, normed = add_norm(mixed, bias, total, share, *_scale_and_offset(block.before_dense))
        inner = dense_gelu(block.widen, normed)
        outer, bias = tf.matmul(inner, block.narrow.kernel.value), block.narrow.bias.value
        total, normed = add_norm(outer, bias, total, share, *_scale_and_offset(following))
    return normed


def dense(layer: keras.layers.Dense, inputs: tf.Tensor) -> tf.Tensor:
    """A layer without its activation, (rows, features)."""
    return add_bias(tf.matmul(inputs, layer.kernel.value), layer.bias.value)


def dense_gelu(layer: keras.layers.Dense, inputs: tf.Tensor) -> tf.Tensor:
    """A layer with GELU, (rows, features)."""
    return bias_gelu(tf.matmul(inputs, layer.kernel.value), layer.bias.value, exact=True)


def _scale_and_offset(layer: keras.layers.LayerNormalization) -> tuple[Any, Any, float]:
    return layer.gamma.value, layer.beta.value, layer.epsilon


def _attended(block: Block, normed: tf.Tensor, distances: Any) -> tf.Tensor:
    """See `Block`: (batch * places, width) to (batch * places, heads * size)."""
    count, size = len(distances), block.inner // block.heads
    split = tf.reshape(dense(block.compare, normed), (-1, count, 3, block.heads, size))
    query, key, value = tf.unstack(tf.transpose(split, (2, 0, 3, 1, 4)))  # (batch, heads, count, size)
    nearness = tf.constant(-distances * block.slopes[:, np.newaxis, np.newaxis])
    shares = near_softmax(tf.matmul(query, key, transpose_b=True), nearness, 1 / math.sqrt(size))
    return tf.reshape(tf.transpose(tf.matmul(shares, value), (0, 2, 1, 3)), (-1, block.inner))


def near_softmax(scores: tf.Tensor, nearness: tf.Tensor, factor: float) -> tf.Tensor:
    """softmax(factor * scores + nearness) over the last axis.

    Args:
        scores: float32 (batch, heads, queries, keys).
        nearness: float32 (heads, queries, keys); no gradient goes there.
        factor: what scores are multiplied with first.
    """

    @tf.custom_gradient
    def compute(scores: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        shares = _softmax(scores, nearness, factor)
        return shares, lambda above: _softmax_gradient(shares, above, factor)

    return compute(scores)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = tf.function(function, jit_compile=True, autograph=False)
    return compiled


@_compiled
def _softmax(scores: tf.Tensor, nearness: tf.Tensor, factor: float) -> tf.Tensor:
    inputs = scores * factor + nearness
    powers = tf.exp(inputs - tf.reduce_max(inputs, -1, keepdims=True))
    return powers * (1 / tf.reduce_sum(powers, -1, keepdims=True))


@_compiled
def _softmax_gradient(shares: tf.Tensor, above: tf.Tensor, factor: float) -> tf.Tensor:
    mean = tf.reduce_sum(above * shares, -1, keepdims=True)
    return factor * shares * (above - mean)
