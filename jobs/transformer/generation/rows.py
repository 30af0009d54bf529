"""Rows of tokens, and how well each token is told by those before it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from jobs.transformer.decoder.forward import Causal, Weights, hidden, logits
from jobs.transformer.decoder.layout import Array, Layout

#: Tokens that are computed at once where nothing is learnt; and logits, of large vocabularies.
AT_ONCE, MOST_LOGITS = 8_192, 2**26


@dataclass(frozen=True)
class Rows:
    """Rows of tokens, of which each but the first is told by those before it.

    Attributes:
        tokens: (rows, width + 1), of any unsigned type or int32.
        first: the first token of each row that is to be told, int32 (rows,).
        end: the token after the last one, int32 (rows,).
    """

    tokens: Array = field(repr=False)
    first: Array = field(repr=False)
    end: Array = field(repr=False)

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def full(cls, tokens: Array) -> "Rows":
        """Rows all of whose tokens are to be told but the first."""
        count = len(tokens)
        return cls(tokens, np.ones(count, np.int32), np.full(count, tokens.shape[1], np.int32))

    @classmethod
    def overlapping(cls, tokens: Array, width: int) -> "Rows":
        """Rows that begin with the last token of the one before: each token but the first is told once."""
        count = max(0, -(-(len(tokens) - 1) // width))
        found = np.zeros((count, width + 1), np.int32)
        for row in range(count):
            part = tokens[row * width : row * width + width + 1]
            found[row, : len(part)] = part
        ends = np.minimum(len(tokens) - np.arange(count) * width, width + 1).astype(np.int32)
        return cls(found, np.ones(count, np.int32), ends)

    def told(self) -> int:
        """Tokens that are to be told."""
        return int((self.end - self.first).sum())

    def batch(self, begin: int, size: int) -> tuple[Array, Array, Array]:
        """Some rows, filled up with rows in which nothing is to be told."""
        tokens = np.zeros((size, self.tokens.shape[1]), np.int32)
        first, end = np.ones(size, np.int32), np.ones(size, np.int32)
        part = slice(begin, begin + size)
        count = len(self.tokens[part])
        tokens[:count], first[:count], end[:count] = self.tokens[part], self.first[part], self.end[part]
        return tokens, first, end


class Teller:
    """Tells tokens by those before them.

    Args:
        layout: of the decoder.
        weights: gives them by name, as they are by then.
        kind: of activations and products.
    """

    def __init__(self, layout: Layout, weights: Callable[[], Weights], kind: tf.DType) -> None:
        self._layout, self._weights, self._kind = layout, weights, kind
        self._compiled = tf.function(lambda *given: self.nats(*given)[0], autograph=False)

    def nats(self, tokens: tf.Tensor, first: tf.Tensor, end: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Cross-entropy of each token but the first, and 1 where it is to be told; else 0; (rows, width).

        Args:
            tokens: (rows, width + 1), any integers.
            first: the first token of each row that is to be told, int32 (rows,).
            end: the token after the last one, int32 (rows,).
        """
        tokens, weights = tf.cast(tokens, tf.int32), self._weights()
        width = int(tokens.shape[1]) - 1
        places = tf.range(width)[None]
        states = hidden(self._layout, weights, tokens[:, :-1], places, Causal(width), self._kind)
        losses = self._losses(states, weights, tf.reshape(tokens[:, 1:], (-1,)))
        # By the places alone: what ends a text may be what fills a row up.
        told = tf.logical_and(places + 1 >= first[:, None], places + 1 < end[:, None])
        there = tf.cast(told, tf.float32)
        return tf.reshape(losses, (-1, width)) * there, there

    def _losses(self, states: tf.Tensor, weights: Weights, truth: tf.Tensor) -> tf.Tensor:
        """Cross-entropies, float32 (tokens,); many logits in parts, computed again for the gradient."""
        name = "embedding" if self._layout.tied else "output"
        most = max(1, MOST_LOGITS // self._layout.vocabulary)
        count = states.shape[0]

        def part(begin: int, end: int) -> tf.Tensor:
            def told(some: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
                found = logits(self._layout, {name: table}, some)
                return tf.nn.sparse_softmax_cross_entropy_with_logits(truth[begin:end], found)

            asked = told if count is None or count <= most else tf.recompute_grad(told)
            return asked(states[begin:end], tf.convert_to_tensor(weights[name]))

        if count is None or count <= most:
            return part(0, int(1e9) if count is None else count)
        return tf.concat([part(begin, min(begin + most, count)) for begin in range(0, count, most)], 0)

    def mean(self, rows: Rows) -> float:
        """Nats a token over all that are to be told; NaN if there is none."""
        return float(self.by_row(rows).sum()) / rows.told() if rows.told() else math.nan

    def by_row(self, rows: Rows) -> Array:
        """Nats of each row, of all its tokens that are to be told together, float64 (rows,)."""
        width, count = rows.tokens.shape[1], len(rows)
        size = max(1, min(AT_ONCE, MOST_LOGITS // self._layout.vocabulary) // width)
        found = [
            np.asarray(self._compiled(*map(tf.constant, rows.batch(begin, size))), np.float64).sum(axis=1)
            for begin in range(0, count, size)
        ]
        return np.concatenate([*found, np.zeros(0)])[:count]
