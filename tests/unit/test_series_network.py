"""What a step of the network on time series computes in fused passes, against the plain way."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from jobs.selfsupervised.networks.blocks import Blocks
from jobs.selfsupervised.networks.fused_blocks import forward
from jobs.selfsupervised.series.methods.network import Network
from jobs.selfsupervised.series.methods.networked import NetworkMethod
from jobs.selfsupervised.series.methods.passes import forecast_loss, read
from jobs.selfsupervised.series.panel import normalised


def test_fused_blocks_and_their_gradients_are_those_of_the_layers() -> None:
    keras.utils.set_random_seed(1)
    blocks = Blocks(1, 5, 24, 2)
    blocks.build((None, 5, 24))
    for variable in blocks.trainable_variables:  # no bias of zero, no scale of one
        variable.assign(variable.value + 0.1 * tf.random.normal(variable.shape, seed=2))
    tokens, above = (tf.random.normal((3, 5, 24), seed=seed) for seed in (3, 4))

    def computed(fused: bool) -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape:
            tape.watch(tokens)
            flat = forward(blocks, tf.reshape(tokens, (-1, 24))) if fused else blocks(tokens)
            found = tf.reshape(flat, (3, 5, 24))
            loss = tf.reduce_sum(found * above)
        weights = [variable.value for variable in blocks.trainable_variables]
        return found, tape.gradient(loss, [tokens, *weights])

    (plain, gradients), (found, others) = computed(False), computed(True)
    np.testing.assert_allclose(found, plain, atol=1e-5)
    for gradient, other in zip(gradients, others, strict=True):
        np.testing.assert_allclose(other, gradient, atol=2e-4)


@pytest.mark.parametrize("levels", [(), (0.1, 0.5, 0.9)])
def test_the_loss_of_a_forecast_and_its_gradient_are_those_of_their_definition(
    levels: tuple[float, ...],
) -> None:
    random = np.random.default_rng(0)
    found, ahead = random.normal(size=(4, 1 + len(levels), 6)), random.normal(size=(4, 6))
    deviations = random.uniform(1.0, 2.0, (4, 1))

    def brute(found: Any) -> float:
        errors = (ahead - found[:, 0]) * deviations
        pinball = []
        for number, level in enumerate(levels):
            beyond = (ahead - found[:, 1 + number]) * deviations
            pinball.append(np.where(beyond > 0, level * beyond, (level - 1) * beyond).mean())
        return float(np.square(errors).mean() + (np.mean(pinball) if levels else 0.0))

    given = [tf.constant(each, tf.float32) for each in (found, ahead, deviations)]
    with tf.GradientTape() as tape:
        tape.watch(given[0])
        loss = 2.0 * forecast_loss(*given, levels)
    assert float(loss) == pytest.approx(2.0 * brute(found), rel=1e-5)
    gradient = tape.gradient(loss, given[0]).numpy()
    for place in np.ndindex(found.shape):
        moved = [found.copy(), found.copy()]
        moved[0][place] -= 1e-5
        moved[1][place] += 1e-5
        slope = (brute(moved[1]) - brute(moved[0])) / 2e-5
        assert gradient[place] == pytest.approx(2.0 * slope, abs=1e-4)


@pytest.mark.parametrize(("windows", "expected"), [(20, [0.0, 0.0, 1.5]), (40, [0.5, 1.0, 1.5])])
def test_a_few_errors_move_learnt_quantiles_outwards_alone(
    windows: int, expected: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt = np.repeat(np.array([-0.5, 0.0, 0.5])[np.newaxis, :, np.newaxis], windows, axis=0)
    learnt = np.repeat(learnt, 3, axis=2)  # (windows, levels, horizon)
    came = learnt + np.array([0.5, 1.0, 1.5])[:, np.newaxis]
    method = NetworkMethod("network", 3, 8)
    monkeypatch.setattr(method, "predict", lambda origins: (learnt[:, 1], learnt))
    monkeypatch.setattr(method, "spreads", lambda origins: np.ones((windows, 1)))
    found = []
    for level in range(3):  # what came is above the quantiles of this level by always the same
        origins: Any = SimpleNamespace(truths=lambda horizon, level=level: came[:, level])
        method.calibrate(origins, (0.1, 0.5, 0.9))
        found.append(method.offsets[level, 0])
    assert found == pytest.approx(expected)


def test_a_patch_has_each_row_beside_whether_it_was_seen() -> None:
    # Weights of finished trainings rely on this order.
    network = SimpleNamespace(count=3, patch=2, sizes=SimpleNamespace(window=5))
    numbers, seen = tf.constant([[1.0, 2.0, 3.0, 4.0, 5.0]]), tf.constant([[1.0, 1.0, 0.0, 1.0, 1.0]])
    found = Network._patches(network, numbers, seen)
    assert found.numpy().tolist() == [[0, 0, 1, 1], [2, 1, 3, 0], [4, 1, 5, 1]]


def test_windows_are_read_as_the_methods_read_them() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 60)
    seen = np.ones(60, bool)
    seen[[20, 31]] = False
    values[20] = np.nan  # nothing stands in for it; for the other, something does
    places = np.array([24, 40])
    rows = places[:, np.newaxis] + np.arange(-16, 0)
    numbers, means, deviations = normalised(values[rows], seen[rows])
    ahead = (values[places[:, np.newaxis] + np.arange(4)] - means) / deviations
    found = read(tf.constant(values, tf.float32), tf.constant(seen), tf.constant(places, tf.int32), 16, 4)
    for mine, other in zip(found, (numbers, seen[rows], means, deviations, ahead), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)
