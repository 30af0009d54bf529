"""Networks that tell images apart, by OpenVINO and by TensorFlow."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("openvino")

import tensorflow as tf

from jobs.transformer.bulk.engine import Choice
from jobs.transformer.vision.engines.engine import engine_of
from jobs.transformer.vision.networks.network import Network
from jobs.transformer.vision.networks.plan import Plan

NAMES = ("cat", "dog", "owl")
SWIN = {"width": 16, "inner": 32, "patch": 2, "depths": (2, 1), "stage_heads": (2, 4), "epsilon": 1e-5}
PLAIN = {"width": 8, "depth": 2, "heads": 2, "inner": 12}
AS_TRAINED = {"mean": (0.0,), "deviation": (1.0,)}
PLANS: dict[str, tuple[str, tuple[int, int, int], dict[str, Any]]] = {
    "vit": ("vit", (8, 8, 3), {**PLAIN, "patch": 4, "mean": (0.4, 0.5, 0.6)}),
    "vit whose patches end outside": ("vit", (9, 7, 1), {**PLAIN, "patch": 4}),
    "deit with two heads": ("vit", (8, 8, 3), {**PLAIN, "patch": 4, "special": 2, "reads": 2}),
    "cct of even sides": ("cct", (8, 12, 3), {**PLAIN, "filters": (4, 8)}),
    "cct of odd sides": ("cct", (9, 7, 1), {**PLAIN, "filters": (4, 8)}),
    "cct of one pixel": ("cct", (1, 1, 1), {**PLAIN, "filters": (8,)}),
    "swin": ("swin", (12, 12, 3), {**SWIN, "window": 2}),
    "swin whose windows end outside": ("swin", (14, 10, 3), {**SWIN, "window": 3}),
    "masked": ("masked", (8, 9, 1), {"width": 24, "depth": 2, "patch": 3, **AS_TRAINED}),
    "convolutional": ("convolutional", (9, 8, 1), {"width": 12, "filters": (4, 8), **AS_TRAINED}),
}


@pytest.mark.parametrize("name", PLANS)
def test_openvino_computes_what_the_network_does(name: str) -> None:
    architecture, shape, fields = PLANS[name]
    network = Network(Plan(architecture, shape, NAMES, **fields))  # type: ignore[arg-type]
    random = np.random.default_rng(0)
    for each in network.weights:
        value = each.numpy() + random.normal(0, 0.2, each.shape)
        each.assign(np.abs(value) if "variance" in each.path else value)
    engine = engine_of(network, Choice("openvino", "float32"))
    images = random.integers(0, 256, (2, engine.rows, *shape), dtype=np.uint8)
    for batch, found in zip(images, engine.run(images), strict=True):
        expected = network.logits(tf.constant(batch, tf.float32) / 255)
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["vit", "cct of even sides", "swin"])
def test_weights_of_8_bits_come_close(name: str) -> None:
    architecture, shape, fields = PLANS[name]
    network = Network(Plan(architecture, shape, NAMES, **fields))  # type: ignore[arg-type]
    random = np.random.default_rng(0)
    for each in network.weights:
        each.assign(each.numpy() + random.normal(0, 0.2, each.shape))
    exact, rough = (engine_of(network, Choice("openvino", each)) for each in ("float32", "int8"))
    images = random.integers(0, 256, (1, exact.rows, *shape), dtype=np.uint8)
    expected, found = next(exact.run(images)), next(rough.run(images))
    assert not np.array_equal(found, expected)
    assert np.abs(found - expected).mean() < 0.2 * np.abs(expected).mean()


def test_what_stopped_in_between_can_be_run_again() -> None:
    architecture, shape, fields = PLANS["vit"]
    engine = engine_of(
        Network(Plan(architecture, shape, NAMES, **fields)),  # type: ignore[arg-type]
        Choice("openvino", "float32"),
    )
    images = np.zeros((engine.rows, *shape), np.uint8)
    begun = engine.run([images] * 50)
    first = next(begun)
    del begun
    for found in engine.run([images] * 3):
        np.testing.assert_array_equal(found, first)
