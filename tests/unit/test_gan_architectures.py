"""The convolutional architectures: their shapes, games, and what becomes of unusual data."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput, Diverged, InvalidSpec
from jobs.gan.architectures.residual import SpectralDense
from jobs.gan.layers.changes import changed, moved
from jobs.gan.layers.objectives import OBJECTIVES
from jobs.gan.models import build_gan
from jobs.gan.networks import build_discriminator, build_generator
from jobs.gan.recipes import recipe
from jobs.gan.spec import GenerateImages, TrainGan
from jobs.gan.train import rows_of_a_step
from jobs.local import run_locally

CONVOLUTIONAL = ("dcgan", "wgan-gp", "resnet")


#: Two updates of the discriminator in a step show what the recipe's five do; each takes seconds to trace.
TWO_UPDATES: dict[str, dict[str, Any]] = {"wgan-gp": {"critic_steps": 2}}


def small(architecture: str, **fields: Any) -> TrainGan:
    common = {"architecture": architecture, "latent_dim": 4, "channels": 3, "dataset": "few"}
    return TrainGan.model_validate(common | fields)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (30, 50, 3), (64, 64, 3), (96, 96, 3)])
@pytest.mark.parametrize("architecture", CONVOLUTIONAL)
def test_networks_fit_images_of_any_side_and_both_colours(
    architecture: str, shape: tuple[int, int, int]
) -> None:
    for classes in (0, 3):
        spec = small(architecture, conditional=bool(classes))
        latents, labels = tf.ones((2, 4)), tf.constant([0, 2])
        images = build_generator(spec, shape, classes)([latents, labels] if classes else latents)
        assert images.shape == (2, *shape)
        assert float(np.abs(images).max()) <= 1.0
        assert build_discriminator(spec, shape, classes)([images, labels] if classes else images).shape == (
            2,
            1,
        )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"generator_units": (8,)},
            "'generator_units' belongs to architecture mlp, received",
        ),
        ({"penalty": 5.0}, "'penalty' belongs to architecture wgan-gp, received it with 'dcgan'"),
        ({"architecture": "mlp", "channels": 8}, "'channels' belongs to architecture dcgan or wgan-gp"),
        ({"architecture": "mlp", "precision": "bfloat16"}, "'precision' belongs to architecture dcgan"),
        ({"architecture": "vae"}, "'architecture' should be 'dcgan', 'mlp', 'wgan-gp' or 'resnet'"),
    ],
)
def test_fields_that_an_architecture_has_no_use_for_are_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidSpec, match=text):
        TrainGan.model_validate(fields)


def test_what_a_spec_leaves_open_follows_from_its_architecture() -> None:
    assert recipe(TrainGan()).channels == 64
    chosen = recipe(TrainGan(architecture="wgan-gp", critic_steps=2))
    assert (chosen.critic_steps, chosen.penalty, chosen.beta_1, chosen.batch_size) == (2, 10.0, 0.0, 64)


def test_losses_are_those_of_the_papers() -> None:
    real, fake = np.array([[2.0], [0.2]], np.float32), np.array([[-3.0], [0.5]], np.float32)
    wasserstein, hinge = OBJECTIVES["wasserstein"], OBJECTIVES["hinge"]
    assert float(wasserstein.discriminator(real, fake)) == pytest.approx(-1.25 - 1.1)
    assert float(hinge.discriminator(real, fake)) == pytest.approx(0.4 + 0.75)
    assert float(hinge.generator(fake)) == float(wasserstein.generator(fake)) == pytest.approx(1.25)


def test_the_penalty_is_the_squared_distance_of_the_slope_from_one() -> None:
    model = build_gan(small("wgan-gp", precision="float32"), (8, 8, 1))
    images = keras.Input((8, 8, 1))
    linear = keras.layers.Dense(1, use_bias=False)
    model.discriminator = keras.Model(images, linear(keras.layers.Flatten()(images)))
    slope = float(np.linalg.norm(linear.kernel))
    real, fake = (np.random.default_rng(n).normal(size=(5, 8, 8, 1)).astype(np.float32) for n in (0, 1))
    penalty = model._penalty(tf.constant(real), tf.constant(fake), [], tf.constant([1, 2], tf.int64))
    assert float(penalty) == pytest.approx((slope - 1.0) ** 2, rel=1e-4)


def test_the_spectral_norm_becomes_one() -> None:
    layer = SpectralDense(6)
    layer.build((None, 9))
    # Singular values of its own, well apart: how soon the iteration finds the largest depends on the second.
    layer.kernel.assign(np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32))
    for _ in range(50):
        kernel = np.asarray(layer.normalised(tf.convert_to_tensor(layer.kernel)))
    assert np.linalg.norm(kernel, 2) == pytest.approx(1.0, rel=1e-4)


def test_changes_follow_from_the_seed_and_let_the_gradient_through() -> None:
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, (6, 12, 10, 3)).astype(np.float32))
    seeds = [tf.constant([3, number], tf.int64) for number in (1, 1, 2)]
    with tf.GradientTape() as tape:
        tape.watch(images)
        once, again, other = (changed(images, seed) for seed in seeds)
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)
    assert float(np.abs(tape.gradient(once, images)).sum()) > 0


def test_a_moved_image_is_the_image_elsewhere_with_black_beside_it() -> None:
    image = np.arange(1, 257, dtype=np.float32).reshape(1, 16, 16, 1) / 256.0
    found = {}
    for number in range(40):
        result = np.asarray(moved(tf.constant(image), tf.constant([0, number], tf.int64)))[0, :, :, 0]
        (down, right) = next(
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if np.allclose(result, elsewhere(image[0, :, :, 0], down, right), atol=1e-6)
        )
        found[down, right] = True
    assert {down for down, _ in found} == {right for _, right in found} == {-2, -1, 0, 1, 2}


def elsewhere(image: np.ndarray[Any, Any], down: int, right: int) -> np.ndarray[Any, Any]:
    side = len(image)
    result = np.full_like(image, -1.0)
    rows, columns = slice(max(down, 0), side + min(down, 0)), slice(max(right, 0), side + min(right, 0))
    result[rows, columns] = image[max(-down, 0) : side - max(down, 0), max(-right, 0) : side - max(right, 0)]
    return result


@pytest.mark.usefixtures("short_classifiers")
@pytest.mark.parametrize("architecture", CONVOLUTIONAL)
def test_three_pictures_one_of_them_alone_in_its_class_are_enough(architecture: str, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 8, 3), dtype=np.uint8)
    data = {"few": tmp_path / "few.npz"}
    ImageSet(images, np.array([0, 0, 1]), ("two", "one")).write(data["few"])
    fields = TWO_UPDATES.get(architecture, {})
    result = run_locally(small(architecture, epochs=2, conditional=True, **fields), tmp_path / "job", data)
    assert result.steps == 2
    drawn = run_locally(GenerateImages(model="job", count=2, label="one"), tmp_path / "drawn")
    assert (drawn.height, drawn.width, drawn.channels) == (9, 8, 3)
    assert (tmp_path / "job/artifacts/discriminator.png").exists()


@pytest.mark.usefixtures("short_classifiers")
@pytest.mark.parametrize("architecture", ["mlp", *CONVOLUTIONAL])
def test_numbers_that_a_huge_learning_rate_makes_infinite_are_one_clear_failure(
    architecture: str, tmp_path: Path
) -> None:
    data = {"few": tmp_path / "few.npz"}
    ImageSet(np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1), dtype=np.uint8)).write(data["few"])
    with pytest.raises(InvalidSpec, match="'learning_rate' should be less than or equal to 1"):
        TrainGan(learning_rate=1.1)
    # Adam's steps of 1, the longest that a spec may ask for, have made no number infinite yet.
    fields = {} if architecture == "mlp" else {"channels": 3} | TWO_UPDATES.get(architecture, {})
    spec = TrainGan.model_validate({"architecture": architecture, "dataset": "few", "epochs": 9, **fields})
    message = r"^training diverged: \w+ is (nan|-?inf) in epoch \d/9, by step \d+; a smaller learning rate"
    with pytest.raises(Diverged, match=message):
        run_locally(spec.model_copy(update={"learning_rate": 1e30}), tmp_path / "job", data)
    assert not (tmp_path / "job/artifacts/generator.keras").exists()


@pytest.mark.parametrize("shape", [(7, 28, 1), (28, 129, 3)])
def test_sides_that_convolutions_are_not_built_for_are_refused(shape: tuple[int, int, int]) -> None:
    data = ImageSet(np.zeros((4, *shape), np.uint8))
    with pytest.raises(BadInput, match=f"images of {shape[0]} x {shape[1]} pixels, and architecture 'dcgan'"):
        rows_of_a_step(small("dcgan"), data)
    assert rows_of_a_step(TrainGan(architecture="mlp"), data) == 4


def test_a_step_takes_a_batch_for_each_update_of_the_discriminator_where_there_are_enough() -> None:
    data = ImageSet(np.zeros((100, 8, 8, 1), np.uint8))
    assert rows_of_a_step(small("wgan-gp", batch_size=20), data) == 100
    assert rows_of_a_step(small("wgan-gp", batch_size=30), data) == 30
    assert rows_of_a_step(small("wgan-gp", batch_size=300), data) == 100
