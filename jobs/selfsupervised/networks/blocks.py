"""Transformer blocks over patches, each head of which looks so far and no farther."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.selfsupervised.networks.patches import places

HEAD = 16  #: numbers a head of attention compares


class Blocks(keras.layers.Layer):
    """Blocks in turn, and a last normalisation: tokens (batch, tokens, width) to the same.

    A head's attention falls with the distance of two patches, by a slope of its own that is not learnt: the
    first sees all alike, the others ever farther. Press et al. 2021 (https://arxiv.org/abs/2108.12409) do so
    in a line of words; here the distance is that in the image, in patches.

    Args:
        rows: of patches in an image.
        columns: of patches in an image.
        width: numbers in a token.
        depth: blocks.
    """

    def __init__(self, rows: int, columns: int, width: int, depth: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.places = places(rows, columns)
        self.blocks = [Block(width, name=f"block_{number}") for number in range(depth)]
        self.normalise = keras.layers.LayerNormalization(epsilon=1e-6, name="normalise")

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Builds all of them for (batch, tokens, width)."""
        for layer in (*self.blocks, self.normalise):
            layer.build(shape)
        self.built = True

    def call(self, tokens: tf.Tensor, shown: tf.Tensor | None = None) -> tf.Tensor:
        """Transforms tokens.

        Args:
            tokens: float32 (batch, tokens, width).
            shown: int32 (batch, tokens), the patch that each stands for; None if all are there, in order.
        """
        where = tf.constant(self.places)[tf.newaxis] if shown is None else tf.gather(self.places, shown)
        apart = where[:, :, tf.newaxis] - where[:, tf.newaxis]  # (batch or 1, tokens, tokens, 2)
        distances = tf.sqrt(tf.reduce_sum(tf.square(apart), axis=3))
        for block in self.blocks:
            tokens = block(tokens, distances)
        return self.normalise(tokens)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As it came."""
        return shape


class Block(keras.layers.Layer):
    """Attention, then two dense layers, each after a normalisation and beside a way past it.

    Dosovitskiy et al. 2020 (https://arxiv.org/abs/2010.11929), equations 2 and 3.
    """

    def __init__(self, width: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.width = width
        self.heads = max(1, width // HEAD)
        self.slopes = np.array([0.0, *(0.5**number for number in range(self.heads - 1))], np.float32)
        self.before_attention = keras.layers.LayerNormalization(epsilon=1e-6, name="before_attention")
        self.before_dense = keras.layers.LayerNormalization(epsilon=1e-6, name="before_dense")
        self.inner = self.heads * math.ceil(width / self.heads)
        self.compare = keras.layers.Dense(3 * self.inner, name="compare")
        self.merge = keras.layers.Dense(width, name="merge")
        self.widen = keras.layers.Dense(2 * width, activation="gelu", name="widen")
        self.narrow = keras.layers.Dense(width, name="narrow")

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Builds the layers, all for (batch, tokens, width)."""
        for layer in (self.before_attention, self.before_dense, self.compare, self.widen):
            layer.build(shape)
        self.merge.build((*shape[:-1], self.inner))
        self.narrow.build((*shape[:-1], 2 * self.width))
        self.built = True

    def call(self, tokens: tf.Tensor, distances: tf.Tensor) -> tf.Tensor:
        """Transforms tokens (batch, tokens, width), distances (batch or 1, tokens, tokens) apart."""
        tokens += self.merge(self._attended(self.compare(self.before_attention(tokens)), distances))
        return tokens + self.narrow(self.widen(self.before_dense(tokens)))

    def _attended(self, compared: tf.Tensor, distances: tf.Tensor) -> tf.Tensor:
        """softmax(q k / sqrt(d) - slope * distance) v for each head, of q, k and v side by side."""
        count = tf.shape(compared)[1]
        size = self.inner // self.heads
        split = tf.reshape(compared, (-1, count, 3, self.heads, size))
        query, key, value = tf.unstack(tf.transpose(split, (2, 0, 3, 1, 4)))  # (batch, heads, count, size)
        nearness = -distances[:, tf.newaxis] * self.slopes[:, np.newaxis, np.newaxis]
        weights = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) / math.sqrt(size) + nearness)
        return tf.reshape(tf.transpose(tf.matmul(weights, value), (0, 2, 1, 3)), (-1, count, self.inner))
