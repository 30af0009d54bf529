"""TensorFlow's session: keys and values of the tokens so far, and the step that reads and extends them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from jobs.transformer.decoder.forward import Weights, allowed, hidden, logits
from jobs.transformer.decoder.layout import Array, Layout
from jobs.transformer.decoder.session import Session


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


class GraphSession(Session):
    """See `Session`: by TensorFlow, with weights that may change.

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
        super().__init__(layout, rows, slots)
        self._weights, self._kind = weights, kind
        shape = (rows * layout.groups * slots, layout.head)
        self._caches = [
            (tf.Variable(tf.zeros(shape, kind)), tf.Variable(tf.zeros(shape, kind)))
            for _ in range(layout.layers)
        ]
        self._steps = {width: self._compiled(width) for width in (1, self.chunk)}

    def step(self, tokens: Array, starts: Array, last: Array) -> Array:
        """See `Session.step`."""
        found: Array = self._steps[tokens.shape[1]](tokens, starts, last).numpy()
        return found

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


def tensors(weights: Mapping[str, Array], kind: tf.DType) -> dict[str, tf.Tensor]:
    """Weights in the type that is multiplied in; what is no kernel or table stays float32."""
    return {
        name: tf.constant(array, kind if array.ndim > 1 else tf.float32) for name, array in weights.items()
    }
