"""A decoder's forward pass over its weights: one for training, for prompts and for the next token."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from jobs.transformer.decoder.layout import Layout

#: Weights by the names of `Layout.shapes`: tensors, or variables.
Weights = Mapping[str, Any]
#: The score of what may not be read: with it, nothing is left of its weight in any precision.
MASKED = -1e9


class Memory(Protocol):
    """Where keys and values are, and which of them a query may read."""

    def read(self, layer: int, keys: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Takes what a layer has computed, (batch, groups, length, head); gives all there is of it."""

    def bias(self, window: int | None) -> tf.Tensor:
        """What is added to the scores, float32 and to be broadcast to (batch, 1, 1, queries, keys)."""


class Causal:
    """All tokens at once, each reading itself and those before it.

    Args:
        length: tokens of each text, int or int32 ().
    """

    def __init__(self, length: Any) -> None:
        self._length = length

    def read(self, layer: int, keys: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Memory.read`."""
        return keys, values

    def bias(self, window: int | None) -> tf.Tensor:
        """See `Memory.bias`; (queries, keys)."""
        places = tf.range(self._length)
        return allowed(places[:, None], places[None, :], window)


def allowed(queries: tf.Tensor, keys: tf.Tensor, window: int | None) -> tf.Tensor:
    """0 where a query at one place may read a key at another, else `MASKED`."""
    there = keys <= queries
    if window is not None:
        there = tf.logical_and(there, keys > queries - window)
    return tf.where(there, 0.0, MASKED)


def hidden(
    layout: Layout, weights: Weights, tokens: tf.Tensor, places: tf.Tensor, memory: Memory, kind: tf.DType
) -> tf.Tensor:
    """The last hidden states, normalised, (batch * length, width), in the type of the activations.

    Args:
        layout: of the decoder.
        weights: by name.
        tokens: int32 (batch, length).
        places: the position of each token in its text, int32 (batch, length), or (1, length) for all alike.
        memory: where keys and values are.
        kind: of activations and products; sums, normalisations and shares are float32 in any.
    """
    batch, length = tokens.shape[0] or tf.shape(tokens)[0], tokens.shape[1] or tf.shape(tokens)[1]
    state = tf.gather(weights["embedding"], tf.reshape(tokens, (-1,)))
    state = tf.cast(state, tf.float32) * layout.embedding_scale
    if layout.rotary is None:
        known = tf.minimum(places, layout.positions - 1)  # beyond it is padding alone
        rows = tf.gather(weights["positions"], tf.broadcast_to(known, (batch, length)))
        state += tf.reshape(tf.cast(rows, tf.float32), (-1, layout.width))
    turns = _turns(layout, places, kind)
    state = tf.cast(state, kind)
    for number in range(layout.layers):
        block = _Block(layout, weights, number, kind, batch, length)
        state += block.attention(state, None if turns is None else turns[number], memory)
        state += block.inner(state)
    return _norm(layout, weights, "norm", state)


def logits(layout: Layout, weights: Weights, states: tf.Tensor) -> tf.Tensor:
    """The logits of the next token, float32 (rows, vocabulary).

    Args:
        layout: of the decoder.
        weights: by name.
        states: hidden states (rows, width), in the type that is multiplied in.
    """
    table = tf.cast(weights["embedding" if layout.tied else "output"], states.dtype)
    return tf.cast(tf.matmul(states, table, transpose_b=True), tf.float32)


class _Block:
    """One block over a batch."""

    def __init__(
        self, layout: Layout, weights: Weights, number: int, kind: tf.DType, batch: Any, length: Any
    ) -> None:
        self._layout, self._weights, self._number, self._kind = layout, weights, number, kind
        self._batch, self._length = batch, length

    def attention(self, state: tf.Tensor, turns: Any, memory: Memory) -> tf.Tensor:
        """What attention adds, (batch * length, width)."""
        layout, number = self._layout, self._number
        projected = self._product(self._norm("attention_norm", state), "qkv", layout.query_biases)
        query, key, value = tf.split(projected, layout.projected, axis=-1)
        query, key = self._heads(query, layout.heads), self._heads(key, layout.groups)
        if layout.normed_heads:
            query = _scaled(query, self._weights[f"{number}/query_norm"], layout)
            key = _scaled(key, self._weights[f"{number}/key_norm"], layout)
        if turns is not None:
            query, key = _turned(query, turns), _turned(key, turns)
        key, value = (tf.transpose(each, (0, 2, 1, 3)) for each in (key, self._heads(value, layout.groups)))
        keys, values = memory.read(number, key, value)  # (batch, groups, keys, head)
        shared = layout.heads // layout.groups
        # The queries that share a head of keys in one product with it.
        shape = (self._batch, self._length, layout.groups, shared, layout.head)
        query = tf.transpose(tf.reshape(query, shape), (0, 2, 3, 1, 4))
        query = tf.reshape(query, (self._batch, layout.groups, shared * self._length, layout.head))
        scores = tf.cast(tf.matmul(query, keys, transpose_b=True), tf.float32) * layout.query_scale
        scores = tf.reshape(scores, (self._batch, layout.groups, shared, self._length, -1))
        shares = tf.nn.softmax(scores + memory.bias(layout.windows[number]))
        shares = tf.reshape(shares, (self._batch, layout.groups, shared * self._length, -1))
        mixed = tf.matmul(tf.cast(shares, self._kind), values)
        mixed = tf.reshape(mixed, (self._batch, layout.groups, shared, self._length, layout.head))
        mixed = tf.reshape(tf.transpose(mixed, (0, 3, 1, 2, 4)), (-1, layout.heads * layout.head))
        return self._after("after_attention", self._product(mixed, "out", layout.biases))

    def inner(self, state: tf.Tensor) -> tf.Tensor:
        """What the inner layer adds, (batch * length, width)."""
        layout = self._layout
        values = self._product(self._norm("inner_norm", state), "up", layout.biases)
        if layout.gated:
            gate, values = tf.split(values, 2, axis=-1)
            values = _activated(layout, gate) * values
        else:
            values = _activated(layout, values)
        return self._after("after_inner", self._product(values, "down", layout.biases))

    def _product(self, values: tf.Tensor, name: str, biased: bool) -> tf.Tensor:
        found = tf.matmul(values, tf.cast(self._weights[f"{self._number}/{name}"], self._kind))
        low = f"{self._number}/{name}_low"
        if low in self._weights:  # an adapter of low rank (`decoder.adapters`), its scale already in it
            down = tf.matmul(values, tf.cast(self._weights[low], self._kind))
            found += tf.matmul(down, tf.cast(self._weights[f"{self._number}/{name}_high"], self._kind))
        if biased:
            found = tf.nn.bias_add(found, tf.cast(self._weights[f"{self._number}/{name}_bias"], self._kind))
        return found

    def _norm(self, name: str, state: tf.Tensor) -> tf.Tensor:
        return _norm(self._layout, self._weights, f"{self._number}/{name}", state)

    def _after(self, name: str, values: tf.Tensor) -> tf.Tensor:
        return self._norm(name, values) if self._layout.sandwiched else values

    def _heads(self, values: tf.Tensor, count: int) -> tf.Tensor:
        """(batch, length, heads, numbers in a head)."""
        return tf.reshape(values, (self._batch, self._length, count, self._layout.head))


def _norm(layout: Layout, weights: Weights, name: str, state: tf.Tensor) -> tf.Tensor:
    if layout.norm == "rms":
        return _scaled(state, weights[name], layout)
    values = tf.cast(state, tf.float32)
    centred = values - tf.reduce_mean(values, -1, keepdims=True)
    factor = tf.math.rsqrt(tf.reduce_mean(centred * centred, -1, keepdims=True) + layout.epsilon)
    scale, bias = (tf.cast(weights[each], tf.float32) for each in (name, f"{name}_bias"))
    return tf.cast(centred * factor * scale + bias, state.dtype)


def _scaled(state: tf.Tensor, scale: Any, layout: Layout) -> tf.Tensor:
    """RMSNorm over the last axis."""
    values = tf.cast(state, tf.float32)
    factor = tf.math.rsqrt(tf.reduce_mean(values * values, -1, keepdims=True) + layout.epsilon)
    return tf.cast(values * factor * (tf.cast(scale, tf.float32) + layout.offset), state.dtype)


def _activated(layout: Layout, values: tf.Tensor) -> tf.Tensor:
    inputs = tf.cast(values, tf.float32)
    if layout.activation == "silu":
        found = inputs * tf.sigmoid(inputs)
    elif layout.activation == "gelu":
        found = 0.5 * inputs * (1 + tf.math.erf(inputs * math.sqrt(0.5)))
    else:
        found = inputs * tf.sigmoid(2 * math.sqrt(2 / math.pi) * inputs * (1 + 0.044715 * inputs * inputs))
    return tf.cast(found, values.dtype)


def _turns(layout: Layout, places: tf.Tensor, kind: tf.DType) -> list[tuple[tf.Tensor, tf.Tensor]] | None:
    """Cosines and sines of each layer, (batch or 1, length, 1, head / 2); one pair for all that are alike."""
    if layout.rotary is None:
        return None
    by_kind = {}
    for rotary in dict.fromkeys(layout.rotary):
        angles = tf.cast(places, tf.float32)[:, :, None, None] * np.asarray(rotary.frequencies(layout.head))
        by_kind[rotary] = tf.cast(tf.cos(angles), kind), tf.cast(tf.sin(angles), kind)
    return [by_kind[rotary] for rotary in layout.rotary]


def _turned(heads: tf.Tensor, turns: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Each pair (n, n + head / 2) of a head turned by its angle."""
    cosine, sine = turns
    first, second = tf.split(heads, 2, axis=-1)
    return tf.concat([first * cosine - second * sine, second * cosine + first * sine], axis=-1)
