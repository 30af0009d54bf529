"""Dropout whose masks are computed where they are used, from a key and the place of the number alone.

A mask is a hash of the number's place, so it is never stored: the backward pass computes it again. It costs
seven operations on integers, which XLA fuses into the arithmetic around it. Measured on two cores of a Zen 4
for 1,048,576 numbers: 3.1 ms for the bits of Philox alone.
"""

from typing import Any

import tensorflow as tf

#: What a mask follows from, uint32 (2,).
Key = Any


def keys(seed: tf.Tensor, count: int) -> list[Key]:
    """Keys for the masks of one step, uint32 (2,) each: a function of the seed and of their number.

    Args:
        seed: int32 or int64 (2,), another one in each step.
        count: how many masks the step has.
    """
    drawn = tf.random.stateless_uniform(
        (count, 2), seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    return list(tf.unstack(drawn))


def drop(values: tf.Tensor, key: Key, rate: float) -> tf.Tensor:
    """Zero with probability `rate`, else divided by the probability to stay. For code that XLA compiles.

    Args:
        values: float32 of any shape, below 2 ** 32 numbers.
        key: uint32 (2,).
        rate: from 0 to below 1; 0 leaves all as it is.
    """
    if not rate:
        return values
    places = tf.reshape(tf.range(tf.size(values)), tf.shape(values))
    bits = _hash(tf.cast(places, tf.uint32), key)
    return tf.where(bits >= tf.constant(round(rate * 2**32), tf.uint32), values * (1 / (1 - rate)), 0.0)


def _hash(places: tf.Tensor, key: Key) -> tf.Tensor:
    """Two rounds of multiply and shift with the constants of Ellis's `lowbias32`, keyed before each."""
    bits = tf.bitwise.bitwise_xor(places, key[0])
    bits = _fold(bits, 16) * tf.constant(0x7FEB352D, tf.uint32)
    # A key in the middle as well: with the first alone, all masks would be one mask, its places permuted.
    bits = tf.bitwise.bitwise_xor(bits, key[1])
    bits = _fold(bits, 15) * tf.constant(0x846CA68B, tf.uint32)
    return _fold(bits, 16)


def _fold(bits: tf.Tensor, shift: int) -> tf.Tensor:
    return tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, tf.constant(shift, tf.uint32)))
