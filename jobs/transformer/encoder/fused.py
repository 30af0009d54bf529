"""What a block computes between its matrix products, compiled by XLA, with gradients written by hand.

TensorFlow's own graph runs each addition, each tanh and each mean as a pass over memory of its own, and keeps
what each of them needs for the backward pass. Here a pass each way does, and only inputs or outputs are kept.
Numbers come and go in the type of the activations; inside, all is float32.

XLA compiles each function once for each shape, in about a tenth of a second: so lengths should be few.
"""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from jobs.transformer.encoder.dropout import Key, drop

Gradient = Callable[..., Any]


def bias_gelu(values: tf.Tensor, bias: tf.Tensor, exact: bool) -> tf.Tensor:
    """GELU (Hendrycks and Gimpel, 2016) of values and bias.

    Args:
        values: float32 or bfloat16 (tokens, features).
        bias: float32 (features,).
        exact: by the error function; else by the tanh that approximates it.
    """

    @tf.custom_gradient
    def compute(values: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        return _gelu(values, bias, exact), lambda above: _gelu_gradient(values, bias, above, exact)

    return compute(values, bias)


def bias_dropout_add_norm(
    values: tf.Tensor,
    bias: tf.Tensor,
    residual: tf.Tensor,
    scale: tf.Tensor,
    offset: tf.Tensor,
    epsilon: float,
    key: Key,
    rate: float,
) -> tf.Tensor:
    """The end of each half of a block: LayerNorm(residual + Dropout(values + bias)).

    Args:
        values: float32 or bfloat16 (tokens, features).
        bias: float32 (features,).
        residual: as `values`.
        scale: of the normalisation (Ba et al., 2016), float32 (features,).
        offset: of the normalisation, float32 (features,).
        epsilon: added to the variance.
        key: of the mask, uint32 (2,).
        rate: of the dropout.
    """

    @tf.custom_gradient
    def compute(*inputs: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        output, normed, factor = _add_norm(*inputs, key, epsilon, rate)
        scale = inputs[3]
        return output, lambda above: _add_norm_gradient(normed, factor, scale, above, key, rate)

    return compute(values, bias, residual, scale, offset)


def masked_softmax(scores: tf.Tensor, lengths: tf.Tensor, factor: float, key: Key, rate: float) -> tf.Tensor:
    """Dropout(softmax(factor * scores)) over the keys that are no padding.

    Args:
        scores: float32 or bfloat16 (batch, heads, queries, keys).
        lengths: int32 (batch,), each at least 1.
        factor: what scores are multiplied with first.
        key: of the mask, uint32 (2,).
        rate: of the dropout.
    """

    @tf.custom_gradient
    def compute(scores: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        kept, dropped = _softmax(scores, lengths, key, factor, rate)
        return dropped, lambda above: _softmax_gradient(kept, above, key, factor, rate)

    return compute(scores)


def add_bias(values: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Values and bias, in one operation with the product that the values are.

    Args:
        values: float32 or bfloat16 (tokens, features).
        bias: float32 (features,).
    """

    @tf.custom_gradient
    def compute(values: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        def below(above: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # A sum over tokens as a product: by TensorFlow's own gradient it took 2 % of a step.
            ones = tf.ones((1, tf.shape(above)[0]), above.dtype)
            return above, tf.cast(tf.matmul(ones, above)[0], tf.float32)

        return tf.nn.bias_add(values, tf.cast(bias, values.dtype)), below

    return compute(values, bias)


def dropout(values: tf.Tensor, key: Key, rate: float) -> tf.Tensor:
    """Dropout (Srivastava et al., 2014) by itself.

    Args:
        values: float32 of any shape.
        key: of the mask, uint32 (2,).
        rate: of the dropout.
    """
    if not rate:
        return values

    @tf.custom_gradient
    def compute(values: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        return _dropout(values, key, rate), lambda above: _dropout(above, key, rate)

    return compute(values)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = tf.function(function, jit_compile=True, autograph=False)
    return compiled


_SLOPE, _CUBE = math.sqrt(2 / math.pi), 0.044715


@_compiled
def _gelu(values: tf.Tensor, bias: tf.Tensor, exact: bool) -> tf.Tensor:
    inputs = tf.cast(values, tf.float32) + bias
    return tf.cast(inputs * _share(inputs, exact), values.dtype)


@_compiled
def _gelu_gradient(
    values: tf.Tensor, bias: tf.Tensor, above: tf.Tensor, exact: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    inputs = tf.cast(values, tf.float32) + bias
    share = _share(inputs, exact)
    if exact:
        slope = math.sqrt(1 / (2 * math.pi)) * tf.exp(-0.5 * inputs * inputs)
    else:
        slope = share * (1 - share) * 2 * _SLOPE * (1 + 3 * _CUBE * inputs * inputs)
    below = tf.cast(above, tf.float32) * (share + inputs * slope)
    return tf.cast(below, values.dtype), tf.reduce_sum(below, 0)


def _share(inputs: tf.Tensor, exact: bool) -> tf.Tensor:
    """What of its input GELU lets through: the normal distribution's function, or nearly that."""
    if exact:
        return 0.5 * (1 + tf.math.erf(inputs * math.sqrt(0.5)))
    # (1 + tanh(inner)) / 2, but by the exponential: with XLA's tanh, this took longer than with its erf.
    inner = _SLOPE * inputs * (1 + _CUBE * inputs * inputs)
    return 1 / (1 + tf.exp(-2 * inner))


@_compiled
def _add_norm(
    values: tf.Tensor,
    bias: tf.Tensor,
    residual: tf.Tensor,
    scale: tf.Tensor,
    offset: tf.Tensor,
    key: Key,
    epsilon: float,
    rate: float,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    inputs = drop(tf.cast(values, tf.float32) + bias, key, rate) + tf.cast(residual, tf.float32)
    centred = inputs - tf.reduce_mean(inputs, -1, keepdims=True)
    factor = tf.math.rsqrt(tf.reduce_mean(centred * centred, -1, keepdims=True) + epsilon)
    normed = centred * factor
    return tf.cast(normed * scale + offset, values.dtype), tf.cast(normed, values.dtype), factor


@_compiled
def _add_norm_gradient(
    normed: tf.Tensor, factor: tf.Tensor, scale: tf.Tensor, above: tf.Tensor, key: Key, rate: float
) -> tuple[tf.Tensor, ...]:
    kind = normed.dtype
    normed, above = tf.cast(normed, tf.float32), tf.cast(above, tf.float32)
    scaled = above * scale
    shift = tf.reduce_mean(scaled, -1, keepdims=True)
    slope = tf.reduce_mean(scaled * normed, -1, keepdims=True)
    below = factor * (scaled - shift - normed * slope)
    dropped = drop(below, key, rate)
    return (
        tf.cast(dropped, kind),
        tf.reduce_sum(dropped, 0),
        tf.cast(below, kind),
        tf.reduce_sum(above * normed, 0),
        tf.reduce_sum(above, 0),
    )


@_compiled
def _softmax(
    scores: tf.Tensor, lengths: tf.Tensor, key: Key, factor: float, rate: float
) -> tuple[tf.Tensor, tf.Tensor]:
    read = tf.range(tf.shape(scores)[-1]) < lengths[:, None, None, None]
    inputs = tf.where(read, tf.cast(scores, tf.float32) * factor, -1e9)
    powers = tf.exp(inputs - tf.reduce_max(inputs, -1, keepdims=True))
    # Times the reciprocal of each row's sum: with a division by it, all this took twice the time.
    shares = powers * (1 / tf.reduce_sum(powers, -1, keepdims=True))
    return tf.cast(shares, scores.dtype), tf.cast(drop(shares, key, rate), scores.dtype)


@_compiled
def _softmax_gradient(shares: tf.Tensor, above: tf.Tensor, key: Key, factor: float, rate: float) -> tf.Tensor:
    kind = shares.dtype
    shares, above = tf.cast(shares, tf.float32), drop(tf.cast(above, tf.float32), key, rate)
    mean = tf.reduce_sum(above * shares, -1, keepdims=True)
    return tf.cast(factor * shares * (above - mean), kind)


_dropout = _compiled(drop)
