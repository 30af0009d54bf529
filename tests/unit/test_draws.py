"""Draws of a training step: TensorFlow's own, from fewer operations, compiled or not."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from jobs.training.draws import fork, philox_normal, philox_uniform


@pytest.mark.parametrize("compiled", [False, True])
def test_draws_of_philox_are_tensorflows_bit_for_bit(compiled: bool) -> None:
    @tf.function(jit_compile=compiled)
    def both(seed: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        pairs = []
        for shape in ((), (5,), (2, 3, 4)):
            pairs += [
                (philox_uniform(shape, seed), tf.random.stateless_uniform(shape, seed, alg="philox")),
                (philox_normal(shape, seed), tf.random.stateless_normal(shape, seed, alg="philox")),
            ]
        return pairs

    for numbers in ((0, 0), (3, 7), (-1, 2**40), (2**31, -5)):
        for mine, its in both(tf.constant(numbers, tf.int64)):
            assert mine.shape == its.shape
            assert np.array_equal(mine, its)


def test_seeds_of_different_steps_and_numbers_are_different() -> None:
    seeds = [
        tuple(np.asarray(fork(tf.constant([seed, step], tf.int64), number)).tolist())
        for seed in (0, 9)
        for step in (0, 1, 10**9)
        for number in (0, 1, 1023)
    ]
    assert seeds[4] == (0, 1 * 1024 + 1)
    assert len(set(seeds)) == len(seeds)
