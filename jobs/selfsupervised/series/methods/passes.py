"""What a step of the network computes beside its layers, each compiled by XLA to one pass over memory."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from jobs.selfsupervised.series.panel import LEAST_DEVIATION

Gradient = Callable[..., Any]


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = tf.function(function, jit_compile=True, autograph=False)
    return compiled


@_compiled
def read(
    filled: tf.Tensor, seen: tf.Tensor, places: tf.Tensor, window: int, horizon: int
) -> tuple[tf.Tensor, ...]:
    """Windows as `panel.normalised` has them, in float32; each of a training has values that were seen.

    Args:
        filled: the panel's values, float32 (places of the panel,), NaN where one is missing.
        seen: whether a value was there, likewise.
        places: to forecast from, int32 (batch,).
        window: rows before each.
        horizon: rows from each on.

    Returns:
        Windows (batch, window), 0 where nothing was; whether a value was seen, float32 (batch, window); means
        (batch, 1); deviations (batch, 1); what came, in deviations from the mean (batch, horizon).
    """
    before = places[:, tf.newaxis] + tf.range(-window, 0)
    values, counted = tf.gather(filled, before), tf.cast(tf.gather(seen, before), tf.float32)
    there = tf.logical_not(tf.math.is_nan(values))
    values = tf.where(there, values, 0.0)
    count = tf.reduce_sum(counted, axis=1, keepdims=True)
    means = tf.reduce_sum(values * counted, axis=1, keepdims=True) / count
    centred = tf.where(there, values - means, 0.0)
    variances = tf.reduce_sum(tf.square(centred) * counted, axis=1, keepdims=True) / count
    deviations = tf.sqrt(variances) + LEAST_DEVIATION
    ahead = tf.gather(filled, places[:, tf.newaxis] + tf.range(horizon))
    return centred / deviations, counted, means, deviations, (ahead - means) / deviations


def forecast_loss(
    found: tf.Tensor, ahead: tf.Tensor, deviations: tf.Tensor, levels: tuple[float, ...]
) -> tf.Tensor:
    """Squared error of z-scores, and the pinball loss of the quantiles, float32 ().

    Args:
        found: forecast and quantiles in deviations of the window, (batch, 1 + levels, horizon).
        ahead: what came, (batch, horizon).
        deviations: of the windows (batch, 1).
        levels: of the quantiles.
    """

    @tf.custom_gradient
    def compute(found: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        loss, below = _loss_and_gradient(found, ahead, deviations, levels)
        return loss, lambda above: above * below

    return compute(found)


@_compiled
def _loss_and_gradient(
    found: tf.Tensor, ahead: tf.Tensor, deviations: tf.Tensor, levels: tuple[float, ...]
) -> tuple[tf.Tensor, tf.Tensor]:
    scale = deviations[:, tf.newaxis]
    beyond = (ahead[:, tf.newaxis] - found) * scale
    count = tf.cast(tf.size(ahead), tf.float32)
    slopes = -2.0 * beyond[:, :1]
    loss = tf.reduce_sum(tf.square(beyond[:, :1])) / count
    if levels:
        each = tf.constant(levels, tf.float32)[:, tf.newaxis]
        losses = tf.maximum(each * beyond[:, 1:], (each - 1.0) * beyond[:, 1:])
        loss += tf.reduce_sum(losses) / count / len(levels)
        below = tf.where(beyond[:, 1:] > 0, -each, 1.0 - each) / len(levels)
        slopes = tf.concat([slopes, below], axis=1)
    return loss, slopes * scale / count
