"""Keys and values of the tokens so far, and the one step that reads and extends them.

A row's tokens lie from slot 0 on, whatever else is in the batch; slots that a row has not reached get a score
of `MASKED`, of which nothing is left. So a row's numbers depend on that row and on the number of slots alone.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from jobs.transformer.decoder.forward import Weights, allowed, hidden, logits
from jobs.transformer.decoder.layout import Array, Layout

#: Slots of a cache: a few numbers, so that a few programs do for all lengths.
SLOTS = tuple(size * step for size in (2**n for n in range(5, 17)) for step in (2, 3))
#: Tokens of prompts that are computed at once; of the smallest caches, half as many.
CHUNK = 64
#: Scores of one layer that are in memory at once, at most; batches of long rows are smaller for it.
MOST_SCORES = 2**26


def slots_for(tokens: int) -> int:
    """The smallest cache for so many tokens."""
    return int(next(size for size in SLOTS if size >= tokens))


def chunk_of(slots: int) -> int:
    """Tokens of a prompt that a step takes, by the slots of its cache, which it divides."""
    return CHUNK if slots >= 2 * CHUNK else CHUNK // 2


def rows_for(layout: Layout, batch_size: int, slots: int) -> int:
    """Rows of a batch, a power of two: as many as wanted, or as fit."""
    most = max(1, MOST_SCORES // (layout.heads * chunk_of(slots) * slots))
    rows = 1
    while 2 * rows <= min(batch_size, most):
        rows *= 2
    return rows


class Cached:
    """The memory of one step: writes its tokens into the cache, and reads all of it.

    Args:
        caches: keys and values of each layer, variables (rows * groups * slots, head).
        layout: of the decoder.
        places: of the tokens, int32 (rows, length).
        slots: of a row.
    """

    def __init__(
        self, caches: list[tuple[tf.Variable, tf.Variable]], layout: Layout, places: tf.Tensor, slots: int
    ) -> None:
        self._caches, self._layout, self._places, self._slots = caches, layout, places, slots
        rows = places.shape[0]
        groups = np.arange(rows * layout.groups, dtype=np.int32).reshape(rows, layout.groups, 1) * slots
        self._where = tf.reshape(groups + places[:, None, :], (-1,))  # (rows * groups * length,)
        self._biases: dict[int | None, tf.Tensor] = {}

    def read(self, layer: int, keys: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Memory.read`."""
        shape = (self._places.shape[0], self._layout.groups, self._slots, self._layout.head)
        found = []
        for cache, new in zip(self._caches[layer], (keys, values), strict=True):
            rows = tf.reshape(new, (-1, self._layout.head))
            tf.raw_ops.ResourceScatterUpdate(resource=cache.handle, indices=self._where, updates=rows)
            found.append(tf.reshape(cache.read_value(), shape))
        return found[0], found[1]

    def bias(self, window: int | None) -> tf.Tensor:
        """See `Memory.bias`; (rows, 1, 1, queries, keys)."""
        if window not in self._biases:
            slots = tf.range(self._slots)[None, None, None, None, :]
            self._biases[window] = allowed(self._places[:, None, None, :, None], slots, window)
        return self._biases[window]


class Session:
    """A batch of rows that are read and go on, in one program for prompts and one for single tokens.

    Args:
        layout: of the decoder.
        weights: gives them by name, where a step is traced; what is multiplied is cast there if it has to be.
        kind: of activations and products.
        rows: in a batch.
        slots: of a row.
    """

    def __init__(
        self, layout: Layout, weights: Callable[[], Weights], kind: tf.DType, rows: int, slots: int
    ) -> None:
        self.rows, self.slots, self.chunk = rows, slots, chunk_of(slots)
        self._layout, self._weights, self._kind = layout, weights, kind
        shape = (rows * layout.groups * slots, layout.head)
        self._caches = [
            (tf.Variable(tf.zeros(shape, kind)), tf.Variable(tf.zeros(shape, kind)))
            for _ in range(layout.layers)
        ]
        self._steps = {width: self._compiled(width) for width in (1, self.chunk)}

    def _compiled(self, width: int) -> Any:
        signature = [
            tf.TensorSpec((self.rows, width), tf.int32),
            *[tf.TensorSpec((self.rows,), tf.int32)] * 2,
        ]

        def step(tokens: tf.Tensor, starts: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
            places = tf.minimum(starts[:, None] + tf.range(width), self.slots - 1)
            memory = Cached(self._caches, self._layout, places, self.slots)
            weights = self._weights()
            states = hidden(self._layout, weights, tokens, places, memory, self._kind)
            chosen = tf.gather(states, tf.range(self.rows) * width + last)
            return logits(self._layout, weights, chosen)

        return tf.function(step, input_signature=signature, autograph=False)

    def prompts(self, tokens: list[Array]) -> Array:
        """Reads the prompts from their first token on; logits of what comes next, float32 (rows, vocabulary).

        Args:
            tokens: of each row, int32 (at least 1,); at most as many as there are rows.
        """
        lengths = np.ones(self.rows, np.int32)
        lengths[: len(tokens)] = [len(each) for each in tokens]
        width = -(-int(lengths.max()) // self.chunk) * self.chunk
        padded = np.zeros((self.rows, width), np.int32)
        for row, each in enumerate(tokens):
            padded[row, : len(each)] = each
        found = np.zeros((self.rows, self._layout.vocabulary), np.float32)
        for start in range(0, width, self.chunk):
            last = np.clip(lengths - 1 - start, 0, self.chunk - 1)
            given = padded[:, start : start + self.chunk]
            new = self._steps[self.chunk](given, np.full(self.rows, start, np.int32), last).numpy()
            ends = (lengths > start) & (lengths <= start + self.chunk)
            found[ends] = new[ends]
        return found

    def next(self, tokens: Array, places: Array) -> Array:
        """Reads one more token of each row; logits of the one after it, float32 (rows, vocabulary).

        Args:
            tokens: int32 (rows,).
            places: of them in their rows, int32 (rows,).
        """
        found: Array = self._steps[1](tokens[:, None], places, np.zeros(self.rows, np.int32)).numpy()
        return found


def tensors(weights: Mapping[str, Array], kind: tf.DType) -> dict[str, tf.Tensor]:
    """Weights in the type that is multiplied in; what is no kernel or table stays float32."""
    return {
        name: tf.constant(array, kind if array.ndim > 1 else tf.float32) for name, array in weights.items()
    }
