"""The layers that train faster: they compute what Keras's compute, and nothing of them is saved."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from jobs.datasets.images.image_set import ImageSet
from jobs.gan import networks
from jobs.gan.layers import lean, strided
from jobs.gan.models import build_gan
from jobs.gan.networks import build_discriminator, build_generator
from jobs.gan.spec import TrainGan
from jobs.local import run_locally

SHAPE = (12, 9, 1)
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.03}


def small(architecture: str = "dcgan", **fields: Any) -> TrainGan:
    return TrainGan.model_validate(
        {"architecture": architecture, "latent_dim": 4, "channels": 6, "dataset": "tiny"} | fields
    )


def normal(*shape: int, dtype: str = "float32") -> tf.Tensor:
    return tf.cast(np.random.default_rng(len(shape)).normal(size=shape), dtype)


def assert_near(found: Any, expected: Any, dtype: str) -> None:
    one, other = (np.asarray(tf.cast(each, tf.float64)) for each in (found, expected))
    assert np.abs(one - other).max() <= TOLERANCE[dtype] * np.abs(other).max()


def slopes(convolution: Callable[..., tf.Tensor], images: tf.Tensor, kernel: tf.Tensor) -> list[tf.Tensor]:
    """The convolution, its gradients, and the gradients of these, as a gradient penalty needs them."""
    with tf.GradientTape() as outer:
        outer.watch([images, kernel])
        with tf.GradientTape() as inner:
            inner.watch([images, kernel])
            maps = convolution(images, kernel)
            curved = tf.reduce_sum(tf.sin(tf.cast(maps, tf.float32)))
        first = inner.gradient(curved, [images, kernel])
        squared = tf.add_n([tf.reduce_sum(tf.square(tf.cast(each, tf.float32))) for each in first])
    return [maps, *first, *outer.gradient(squared, [images, kernel])]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("sides", [(8, 8), (9, 12), (7, 13)])
def test_the_convolution_and_its_gradients_of_both_orders_are_tensorflows(
    sides: tuple[int, int], channels: int, dtype: str
) -> None:
    images, kernel = normal(3, *sides, channels, dtype=dtype), normal(4, 4, channels, 5, dtype=dtype)
    expected = slopes(lambda images, kernel: tf.nn.conv2d(images, kernel, 2, "SAME"), images, kernel)
    for found, right in zip(slopes(strided.convolved, images, kernel), expected, strict=True):
        assert_near(found, right, dtype)


@pytest.mark.parametrize("architecture", ["dcgan", "wgan-gp", "resnet"])
@pytest.mark.parametrize("build", [build_generator, build_discriminator])
def test_a_lean_network_in_training_is_kerass(build: Callable[..., keras.Model], architecture: str) -> None:
    spec = small(architecture)
    inputs = normal(5, 4) if build is build_generator else normal(5, *SHAPE)
    results = []
    for lean_one in (False, True):
        keras.utils.set_random_seed(1)
        network = build(spec, SHAPE, lean=lean_one)
        with tf.GradientTape() as tape:
            outputs = network(inputs, training=True)
            score = tf.reduce_sum(tf.sin(outputs))
        gradients = tape.gradient(score, [weight.value for weight in network.trainable_variables])
        results.append((gradients, [outputs, *network.non_trainable_variables, network(inputs)]))
    (gradients, others), (lean_gradients, lean_others) = results
    # Those of a bias before a normalisation are 0 but for rounding.
    atol = 1e-5 * max(float(np.abs(each).max()) for each in gradients)
    for plain, found in zip(gradients, lean_gradients, strict=True):
        assert np.allclose(found, plain, rtol=1e-3, atol=atol)
    for plain, found in zip(others, lean_others, strict=True):
        assert np.allclose(found, plain, rtol=1e-5, atol=1e-5)


def test_a_gpu_trains_with_kerass_own_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert networks.kit(lean=True) is lean
    monkeypatch.setattr(networks.machine, "has_gpu", lambda: True)
    assert networks.kit(lean=True) is networks.kit(lean=False) is keras.layers


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_the_saved_generator_opens_without_this_package(average: float, tmp_path: Path) -> None:
    data = {"tiny": tmp_path / "tiny.npz"}
    ImageSet(np.zeros((3, *SHAPE), np.uint8)).write(data["tiny"])
    spec = small(epochs=1, average=average)
    assert any(
        isinstance(layer, lean.BatchNormalization) for layer in build_gan(spec, SHAPE).generator.layers
    )
    run_locally(spec, tmp_path / "job", data)
    path = tmp_path / "job/artifacts/generator.keras"
    assert b"jobs.gan" not in zipfile.ZipFile(path).read("config.json")
    assert keras.models.load_model(path, compile=False).count_params() > 0
