"""The Swin Transformer (Liu et al. 2021, https://arxiv.org/abs/2103.14030): attention within windows."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.transformer.vision.networks.blocks import Block, product
from jobs.transformer.vision.networks.plan import Plan
from jobs.transformer.vision.networks.tokens import PatchTokens

#: Of the normalisations of patches and of merged patches, which no config.json names.
EPSILON = 1e-5
#: Added to the score of two places that are neighbours only because the image was rolled.
APART = -100.0


class Swin(keras.layers.Layer):
    """Stages of blocks, each of which has half the sides and twice the width of the one before.

    Args:
        plan: of the network.

    Attributes:
        halves: of blocks, which stochastic depth may leave out.
    """

    looks = False  #: its windows look at no more than themselves

    def __init__(self, plan: Plan, **keywords: Any) -> None:
        super().__init__(**keywords)
        stages = len(plan.depths)
        widths = [plan.width // 2 ** (stages - 1 - stage) for stage in range(stages)]
        self.tokens = PatchTokens(plan.shape, plan.patch, widths[0], name="tokens")
        self.rows, self.columns = self.tokens.rows, self.tokens.columns
        self.first_norm = _norm(widths[0], EPSILON, "first_norm")
        self.stages = [
            Stage(width, depth, heads, width * plan.inner // plan.width, plan, name=f"stage_{number}")
            for number, (width, depth, heads) in enumerate(
                zip(widths, plan.depths, plan.stage_heads, strict=True)
            )
        ]
        self.merges = [Merge(width, name=f"merge_{number}") for number, width in enumerate(widths[:-1])]
        self.last = _norm(plan.width, plan.epsilon, "last_norm")
        self.halves = 2 * sum(plan.depths)
        self.built = True

    def groups(self) -> list[list[keras.Variable]]:
        """The variables from the input to the output: tokens, each block, what reads the last one."""
        found = [[*self.tokens.trainable_variables, *self.first_norm.trainable_variables]]
        for number, stage in enumerate(self.stages):
            found += [list(block.trainable_variables) for block in stage.blocks]
            if number < len(self.merges):
                found[-1] += self.merges[number].trainable_variables
        return [*found, self.last.trainable_variables]

    def freeze(self, groups: int) -> None:
        """Nothing: what is not trained stays as it is."""

    def features(
        self, images: tf.Tensor, kind: tf.DType, training: bool, shares: tf.Tensor | None = None
    ) -> tf.Tensor:
        """One vector an image, the mean of the last tokens, float32 (batch, width); see `Transformer`."""
        tokens = _normed(self.first_norm, self.tokens.of(images, kind))
        grid = tf.reshape(tokens, (-1, self.rows, self.columns, tokens.shape[-1]))
        half = 0
        for number, stage in enumerate(self.stages):
            for place, block in enumerate(stage.blocks):
                kept = None if shares is None else shares[half : half + 2]
                grid = block.stepped(grid, kind, shifted=place % 2 == 1, shares=kept)
                half += 2
            if number < len(self.merges):
                grid = self.merges[number].merged(grid, kind)
        return tf.reduce_mean(_normed(self.last, grid), axis=(1, 2))


class Stage(keras.layers.Layer):
    """Blocks of one width."""

    def __init__(self, width: int, depth: int, heads: int, inner: int, plan: Plan, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.blocks = [
            WindowBlock(width, heads, inner, plan.epsilon, plan.window, name=f"block_{number}")
            for number in range(depth)
        ]
        self.built = True


class WindowBlock(Block):
    """A block whose attention is within windows, equation 3; every second one shifts them by half.

    Args:
        width: numbers in a token.
        heads: of the attention.
        inner: numbers between the two dense layers.
        epsilon: of the normalisations.
        window: side of a window in tokens.
    """

    def __init__(
        self, width: int, heads: int, inner: int, epsilon: float, window: int, **keywords: Any
    ) -> None:
        super().__init__(width, heads, inner, epsilon, **keywords)
        self.window = window
        self.nearness = self.add_weight(
            shape=((2 * window - 1) ** 2, heads),
            initializer=keras.initializers.TruncatedNormal(0.0, 0.02),
            name="positions",
        )
        self.between = between_of(window)
        self.build()

    def stepped(self, grid: tf.Tensor, kind: tf.DType, shifted: bool, shares: tf.Tensor | None) -> tf.Tensor:
        """The block's output for a grid of tokens, float32 (batch, rows, columns, width)."""
        first, second = (
            (1.0, 1.0) if shares is None else (each[:, None, None, None] for each in tf.unstack(shares))
        )
        grid += first * self._attended_in_windows(_normed(self.attention_norm, grid), kind, shifted)
        flat = tf.cast(tf.reshape(_normed(self.dense_norm, grid), (-1, self.width)), kind)
        inner = tf.nn.gelu(_dense(flat, self.widen), approximate=False)
        outer = _dense(tf.cast(inner, kind), self.narrow)
        return grid + second * tf.reshape(outer, tf.shape(grid))

    def _attended_in_windows(self, grid: tf.Tensor, kind: tf.DType, shifted: bool) -> tf.Tensor:
        side, (height, width) = self.window, grid.shape[1:3]
        shift = shift_of(side, height, width) if shifted else 0
        tall, wide = (math.ceil(each / side) * side for each in (height, width))
        grid = tf.pad(grid, ((0, 0), (0, tall - height), (0, wide - width), (0, 0)))
        grid = tf.roll(grid, (-shift, -shift), (1, 2))
        rows, columns = tall // side, wide // side
        cut = tf.reshape(grid, (-1, rows, side, columns, side, self.width))
        flat = tf.reshape(tf.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, self.width))
        between = apart(tall, wide, side, shift) if shift else None
        mixed = _dense(self._mixed(tf.cast(flat, kind), rows * columns, between), self.merge)
        cut = tf.reshape(mixed, (-1, rows, columns, side, side, self.width))
        grid = tf.reshape(tf.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, tall, wide, self.width))
        return tf.roll(grid, (shift, shift), (1, 2))[:, :height, :width]

    def _mixed(self, flat: tf.Tensor, windows: int, masks: Any) -> tf.Tensor:
        """Attention of tokens (batch * windows * places, width), before its output's projection."""
        places, size = self.window**2, self.width // self.heads
        compared = tf.cast(_dense(flat, self.compare), flat.dtype)
        split = tf.reshape(compared, (-1, places, 3, self.heads, size))
        query, key, value = tf.unstack(tf.transpose(split, (2, 0, 3, 1, 4)))
        scores = tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32) / math.sqrt(size)
        bias = tf.reshape(tf.gather(self.nearness.value, self.between), (places, places, self.heads))
        scores += tf.transpose(bias, (2, 0, 1))
        if masks is not None:  # (windows, places, places)
            by_window = tf.reshape(scores, (-1, windows, self.heads, places, places))
            scores = tf.reshape(by_window + masks[:, np.newaxis], tf.shape(scores))
        mixed = tf.matmul(tf.cast(tf.nn.softmax(scores), flat.dtype), value)
        return tf.reshape(tf.transpose(mixed, (0, 2, 1, 3)), (-1, self.width))


class Merge(keras.layers.Layer):
    """Four neighbours become one token of twice the width; what is missing at the edges is zero."""

    def __init__(self, width: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.norm = _norm(4 * width, EPSILON, "norm")
        self.reduce = keras.layers.Dense(2 * width, use_bias=False, name="reduce")
        self.reduce.build((None, 4 * width))
        self.built = True

    def merged(self, grid: tf.Tensor, kind: tf.DType) -> tf.Tensor:
        """Tokens float32 (batch, rows / 2, columns / 2, 2 * width)."""
        _, height, width, _ = grid.shape
        grid = tf.pad(grid, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
        parts = [grid[:, row::2, column::2] for column in range(2) for row in range(2)]
        four = _normed(self.norm, tf.concat(parts, axis=3))
        flat = product(tf.cast(tf.reshape(four, (-1, four.shape[-1])), kind), self.reduce)
        return tf.reshape(tf.cast(flat, tf.float32), (-1, *four.shape[1:3], flat.shape[-1]))


def _norm(width: int, epsilon: float, name: str) -> keras.layers.LayerNormalization:
    layer = keras.layers.LayerNormalization(epsilon=epsilon, name=name)
    layer.build((None, width))
    return layer


def _normed(layer: Any, values: tf.Tensor) -> tf.Tensor:
    mean, variance = tf.nn.moments(values, -1, keepdims=True)
    factor = tf.math.rsqrt(variance + layer.epsilon) * layer.gamma.value
    return (values - mean) * factor + layer.beta.value


def _dense(inputs: tf.Tensor, layer: Any) -> tf.Tensor:
    return tf.cast(product(inputs, layer), tf.float32) + layer.bias.value


def shift_of(side: int, height: int, width: int) -> int:
    """By how many places every second block shifts its windows: by none where one window has all."""
    return side // 2 if min(height, width) > side else 0


def between_of(side: int) -> Any:
    """Which row of the table each pair of places in a window has, int64 (places * places,)."""
    places = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)
    apart = places[:, np.newaxis] - places + side - 1  # (places, places, 2)
    return (apart[..., 0] * (2 * side - 1) + apart[..., 1]).reshape(-1)


def apart(tall: int, wide: int, side: int, shift: int) -> Any:
    """What is added to the scores in each window of a rolled grid, float32 (windows, places, places)."""
    regions = [
        (np.arange(length) >= length - side).astype(int) + (np.arange(length) >= length - shift)
        for length in (tall, wide)
    ]
    grid = regions[0][:, np.newaxis] * 3 + regions[1]
    cut = grid.reshape(tall // side, side, wide // side, side).transpose(0, 2, 1, 3).reshape(-1, side * side)
    return np.where(cut[:, :, np.newaxis] != cut[:, np.newaxis], APART, 0.0).astype(np.float32)
