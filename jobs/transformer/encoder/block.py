"""One post-norm block of an encoder (Vaswani et al., 2017), over the variables of a KerasHub block."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from jobs.transformer.encoder import fused
from jobs.transformer.encoder.dropout import Key


@dataclass(frozen=True)
class Batch:
    """What all blocks have to know of the texts.

    Attributes:
        lengths: tokens of each text, int32 (batch,).
        size: texts, int32 ().
        length: of the longest text, int32 ().
        kind: the type of the activations, float32 or bfloat16.
        keys: a key for each mask, in the order in which the masks are made; none without dropout.
    """

    lengths: tf.Tensor
    size: tf.Tensor
    length: tf.Tensor
    kind: tf.DType
    keys: Iterator[Key] | None

    def mask(self, rate: float) -> tuple[Key, float]:
        """The next mask's key and rate."""
        if self.keys is None or not rate:
            return tf.zeros((2,), tf.uint32), 0.0
        return next(self.keys), rate


def forward(block: Any, tokens: tf.Tensor, batch: Batch, first_only: bool) -> tf.Tensor:
    """The block's output, (batch * length, hidden), or (batch, hidden) of the first tokens only.

    Args:
        block: a `keras_hub.layers.TransformerEncoder` that normalises last.
        tokens: (batch * length, hidden), in the type of the activations.
        batch: what to know of the texts.
        first_only: leave out what the first tokens' outputs do not depend on. A classifier reads nothing
            else of the last block: the same numbers, for a sixth of the work in a block less.
    """
    attention = block._self_attention_layer
    mixed = attend(attention, tokens, batch, first_only)
    residual = _first(tokens, batch) if first_only else tokens
    hidden = _add_norm(
        attention.output_dense, mixed, residual, block._self_attention_layer_norm, batch, block.dropout
    )
    inner = tf.matmul(hidden, _kernel(block._feedforward_intermediate_dense, 1, batch.kind))
    exact = _is_exact(block.activation)
    inner = fused.bias_gelu(inner, block._feedforward_intermediate_dense.bias.value, exact)
    return _add_norm(
        block._feedforward_output_dense, inner, hidden, block._feedforward_layer_norm, batch, block.dropout
    )


def attend(attention: Any, tokens: tf.Tensor, batch: Batch, first_only: bool) -> tf.Tensor:
    """Self-attention before its output's projection, (batch * queries, hidden)."""
    heads, size = attention._num_heads, attention._key_dim
    layers = (attention.query_dense, attention.key_dense, attention.value_dense)
    if first_only:
        query = _project(layers[:1], _first(tokens, batch), batch.kind)
        query = tf.reshape(query, (batch.size, heads, 1, size))
        key, value = _by_head(_project(layers[1:], tokens, batch.kind), 2, heads, size, batch)
    else:
        query, key, value = _by_head(_project(layers, tokens, batch.kind), 3, heads, size, batch)
    # (batch, heads, queries, keys)
    scores = tf.matmul(query, key, transpose_b=True)
    shares = fused.masked_softmax(scores, batch.lengths, 1 / math.sqrt(size), *batch.mask(attention._dropout))
    mixed = tf.matmul(shares, value)  # (batch, heads, queries, size)
    return tf.reshape(tf.transpose(mixed, (0, 2, 1, 3)), (-1, heads * size))


def _project(layers: tuple[Any, ...], tokens: tf.Tensor, kind: tf.DType) -> tf.Tensor:
    """Queries, keys and values in one product, (tokens, layers * hidden): one large is faster than three."""
    kernel = tf.concat([_kernel(layer, 1, kind) for layer in layers], 1)
    bias = tf.concat([tf.reshape(layer.bias.value, (-1,)) for layer in layers], 0)
    return fused.add_bias(tf.matmul(tokens, kernel), bias)


def _by_head(projected: tf.Tensor, count: int, heads: int, size: int, batch: Batch) -> list[tf.Tensor]:
    """`count` tensors of (batch, heads, length, size)."""
    shaped = tf.reshape(projected, (batch.size, batch.length, count, heads, size))
    return list(tf.unstack(tf.transpose(shaped, (2, 0, 3, 1, 4)), count))


def _first(tokens: tf.Tensor, batch: Batch) -> tf.Tensor:
    """The first tokens, (batch, hidden)."""
    return tf.reshape(tokens, (batch.size, batch.length, tokens.shape[-1]))[:, 0]


def _add_norm(
    dense: Any, inputs: tf.Tensor, residual: tf.Tensor, norm: Any, batch: Batch, rate: float
) -> Any:
    values = tf.matmul(inputs, _kernel(dense, len(dense.kernel.shape) - 1, batch.kind))
    return fused.bias_dropout_add_norm(
        values,
        dense.bias.value,
        residual,
        norm.gamma.value,
        norm.beta.value,
        norm.epsilon,
        *batch.mask(rate),
    )


def _kernel(layer: Any, inputs: int, kind: tf.DType) -> tf.Tensor:
    """A dense layer's kernel as a matrix, of which the first axes are inputs."""
    rows = math.prod(layer.kernel.shape[:inputs])
    return tf.cast(tf.reshape(layer.kernel.value, (rows, -1)), kind)


def _is_exact(activation: Any) -> bool:
    """Whether a block's GELU is by the error function; KerasHub's BERT and ALBERT approximate it."""
    return str(activation.__name__) != "gelu_approximate"
