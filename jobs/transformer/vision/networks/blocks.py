"""Blocks that normalise first, over a stream of tokens in two dimensions: (batch * tokens, width)."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from jobs.transformer.encoder import fused
from jobs.transformer.encoder.prenorm import add_norm, norm


@dataclass(frozen=True)
class Stream:
    """What all blocks have to know of a batch.

    Attributes:
        batch: images.
        tokens: of each image.
        kind: the type of the activations, float32 or bfloat16.
        shares: float32 (halves of blocks, batch), what stochastic depth leaves of each half; None = all.
    """

    batch: Any
    tokens: int
    kind: tf.DType
    shares: tf.Tensor | None = None

    def share(self, half: int) -> tf.Tensor:
        """Of each token in one half of a block, float32 (batch * tokens, 1)."""
        if self.shares is None:
            return tf.ones((self.batch * self.tokens, 1))
        return tf.repeat(self.shares[half], self.tokens)[:, tf.newaxis]


class Block(keras.layers.Layer):
    """Attention, then two dense layers, each after a normalisation and beside a residual connection.

    Dosovitskiy et al. 2021 (https://arxiv.org/abs/2010.11929), equations 2 and 3.

    Args:
        width: numbers in a token.
        heads: of the attention; they divide the width.
        inner: numbers between the two dense layers.
        epsilon: of the normalisations.
    """

    def __init__(self, width: int, heads: int, inner: int, epsilon: float = 1e-6, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.width, self.heads, self.inner = width, heads, inner
        self.attention_norm = keras.layers.LayerNormalization(epsilon=epsilon, name="attention_norm")
        self.compare = keras.layers.Dense(3 * width, name="compare")
        self.merge = keras.layers.Dense(width, name="merge")
        self.dense_norm = keras.layers.LayerNormalization(epsilon=epsilon, name="dense_norm")
        self.widen = keras.layers.Dense(inner, name="widen")
        self.narrow = keras.layers.Dense(width, name="narrow")

    def build(self, shape: Any = None) -> None:
        """Builds the layers, whatever the number of tokens."""
        for layer in (self.attention_norm, self.compare, self.merge, self.dense_norm, self.widen):
            layer.build((None, self.width))
        self.narrow.build((None, self.inner))
        self.built = True

    def attended(self, normed: tf.Tensor, stream: Stream) -> tf.Tensor:
        """Attention before its output's projection, (batch * tokens, width)."""
        value, shares = self._shares(normed, stream)
        mixed = tf.matmul(shares, value)  # (batch, heads, tokens, size)
        return tf.reshape(tf.transpose(mixed, (0, 2, 1, 3)), (-1, self.width))

    def weights_of(self, normed: tf.Tensor, stream: Stream) -> tf.Tensor:
        """How much each token looks at each, mean over the heads, float32 (batch, tokens, tokens)."""
        return tf.reduce_mean(tf.cast(self._shares(normed, stream)[1], tf.float32), axis=1)

    def _shares(self, normed: tf.Tensor, stream: Stream) -> tuple[tf.Tensor, tf.Tensor]:
        size = self.width // self.heads
        projected = fused.add_bias(product(normed, self.compare), self.compare.bias.value)
        split = tf.reshape(projected, (stream.batch, stream.tokens, 3, self.heads, size))
        query, key, value = tf.unstack(tf.transpose(split, (2, 0, 3, 1, 4)))  # (batch, heads, tokens, size)
        scores = tf.matmul(query, key, transpose_b=True)
        lengths = tf.fill((stream.batch,), stream.tokens)
        none = tf.zeros((2,), tf.uint32)
        return value, fused.masked_softmax(scores, lengths, 1 / math.sqrt(size), none, 0.0)


def forward(
    blocks: list[Block], last: keras.layers.LayerNormalization, tokens: tf.Tensor, stream: Stream
) -> tf.Tensor:
    """All blocks in turn and the last normalisation, in the type of the activations.

    Args:
        blocks: at least one.
        last: after the last block.
        tokens: float32 (batch * tokens, width).
        stream: about the batch.
    """
    total, normed = tokens, first_norm(blocks, last, tokens, stream)
    for number, block in enumerate(blocks):
        following = blocks[number + 1].attention_norm if number + 1 < len(blocks) else last
        total, normed = stepped(block, following, total, normed, number, stream)
    return normed


def first_norm(
    blocks: list[Block], last: keras.layers.LayerNormalization, tokens: tf.Tensor, stream: Stream
) -> tf.Tensor:
    """What the first block reads."""
    layer = blocks[0].attention_norm if blocks else last
    return norm(tokens, layer.gamma.value, layer.beta.value, layer.epsilon, stream.kind)


def stepped(
    block: Block,
    following: keras.layers.LayerNormalization,
    total: tf.Tensor,
    normed: tf.Tensor,
    number: int,
    stream: Stream,
) -> tuple[tf.Tensor, tf.Tensor]:
    """One block; the stream after it, and what the following layer reads of it."""
    mixed = product(block.attended(normed, stream), block.merge)
    total, normed = _ended(mixed, block.merge, total, block.dense_norm, stream.share(2 * number))
    inner = fused.bias_gelu(product(normed, block.widen), block.widen.bias.value, exact=True)
    outer = product(inner, block.narrow)
    return _ended(outer, block.narrow, total, following, stream.share(2 * number + 1))


def product(inputs: tf.Tensor, layer: keras.layers.Dense) -> tf.Tensor:
    """Inputs times a layer's kernel, in the type of the inputs."""
    return tf.matmul(inputs, tf.cast(layer.kernel.value, inputs.dtype))


def _ended(
    values: tf.Tensor,
    dense: keras.layers.Dense,
    total: tf.Tensor,
    following: keras.layers.LayerNormalization,
    share: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    scale, offset = following.gamma.value, following.beta.value
    return add_norm(values, dense.bias.value, total, share, scale, offset, following.epsilon)
