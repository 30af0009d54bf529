"""What a block that normalises first computes between its matrix products; see `fused`.

The residual stream stays in float32: what a deep network adds to it is small beside what is there. Matrix
products take their inputs in the type of the activations.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Gradient = Callable[..., Any]


def add_norm(
    values: tf.Tensor,
    bias: tf.Tensor,
    residual: tf.Tensor,
    share: tf.Tensor,
    scale: tf.Tensor,
    offset: tf.Tensor,
    epsilon: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The end of one half of a block and the beginning of the next: t = residual + share (values + bias).

    Args:
        values: float32 or bfloat16 (tokens, features).
        bias: float32 (features,).
        residual: float32 (tokens, features).
        share: float32 (tokens, 1), of what is added: stochastic depth; no gradient goes there.
        scale: of the normalisation (Ba et al., 2016), float32 (features,).
        offset: of the normalisation, float32 (features,).
        epsilon: added to the variance.

    Returns:
        t, float32 (tokens, features), and LayerNorm(t) in the type of `values`.
    """

    @tf.custom_gradient
    def compute(*inputs: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Gradient]:
        total, normed = _add_norm(*inputs, epsilon)
        kind, share, scale = inputs[0].dtype, inputs[3], inputs[4]

        def below(above: tf.Tensor, above_normed: tf.Tensor) -> tuple[Any, ...]:
            found = _add_norm_gradient(total, share, scale, above, above_normed, epsilon)
            inner, bias, residual, scale_, offset = found
            return tf.cast(inner, kind), bias, residual, None, scale_, offset

        return (total, normed), below

    total, normed = compute(values, bias, residual, share, scale, offset)
    return total, normed


def norm(values: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, epsilon: float, kind: tf.DType) -> tf.Tensor:
    """LayerNorm of float32 (tokens, features), in the type of the activations."""

    @tf.custom_gradient
    def compute(*inputs: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        values, scale, _ = inputs

        def below(above: tf.Tensor) -> tuple[tf.Tensor, ...]:
            found: tuple[tf.Tensor, ...] = _norm_gradient(values, scale, above, epsilon)
            return found

        return tf.cast(_norm(*inputs, epsilon), kind), below

    return compute(values, scale, offset)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = tf.function(function, jit_compile=True, autograph=False)
    return compiled


def _moments(total: tf.Tensor, epsilon: float) -> tuple[tf.Tensor, tf.Tensor]:
    """The centred values, and the reciprocal of their standard deviation."""
    centred = total - tf.reduce_mean(total, -1, keepdims=True)
    return centred, tf.math.rsqrt(tf.reduce_mean(tf.square(centred), -1, keepdims=True) + epsilon)


@_compiled
def _norm(total: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, epsilon: float) -> tf.Tensor:
    centred, factor = _moments(total, epsilon)
    return centred * factor * scale + offset


@_compiled
def _norm_gradient(
    total: tf.Tensor, scale: tf.Tensor, above: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, ...]:
    centred, factor = _moments(total, epsilon)
    return _through(centred * factor, factor, scale, tf.cast(above, tf.float32))


def _through(
    normed: tf.Tensor, factor: tf.Tensor, scale: tf.Tensor, above: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Gradients of values, scale and offset of a normalisation."""
    scaled = above * scale
    shift = tf.reduce_mean(scaled, -1, keepdims=True)
    slope = tf.reduce_mean(scaled * normed, -1, keepdims=True)
    below = factor * (scaled - shift - normed * slope)
    return below, tf.reduce_sum(above * normed, 0), tf.reduce_sum(above, 0)


@_compiled
def _add_norm(
    values: tf.Tensor,
    bias: tf.Tensor,
    residual: tf.Tensor,
    share: tf.Tensor,
    scale: tf.Tensor,
    offset: tf.Tensor,
    epsilon: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    total = residual + share * (tf.cast(values, tf.float32) + bias)
    centred, factor = _moments(total, epsilon)
    return total, tf.cast(centred * factor * scale + offset, values.dtype)


@_compiled
def _add_norm_gradient(
    total: tf.Tensor,
    share: tf.Tensor,
    scale: tf.Tensor,
    above: tf.Tensor,
    above_normed: tf.Tensor,
    epsilon: float,
) -> tuple[tf.Tensor, ...]:
    centred, factor = _moments(total, epsilon)
    below, of_scale, of_offset = _through(centred * factor, factor, scale, tf.cast(above_normed, tf.float32))
    residual = above + below
    inner = share * residual
    return inner, tf.reduce_sum(inner, 0), residual, of_scale, of_offset
