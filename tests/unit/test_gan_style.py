"""Style transfer: losses beside brute force, layers beside TensorFlow's, state, and odd input."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput, Diverged, InvalidSpec, Stopped
from jobs.gan.layers.adam import FusedAdam
from jobs.gan.layers.objectives import OBJECTIVES
from jobs.gan.style import watching
from jobs.gan.style.data import sets_of
from jobs.gan.style.judging import Judge, Look
from jobs.gan.style.methods.building import build
from jobs.gan.style.methods.crops import cropped
from jobs.gan.style.methods.game import PLACES, StyleGame
from jobs.gan.style.methods.losses import difference, patch_nce
from jobs.gan.style.methods.pool import ImagePool
from jobs.gan.style.networks import layers
from jobs.gan.style.networks.generator import build_generator
from jobs.gan.style.networks.projection import draw_places
from jobs.gan.style.networks.size import Size
from jobs.gan.style.painting import paint, painter
from jobs.gan.style.recipes import recipe_for
from jobs.gan.style.spec import TrainStyle
from jobs.local import LocalContext, run_locally
from jobs.training.draws import fork, philox_uniform

Contexts = Callable[[int | None], type[LocalContext]]
Array = np.ndarray[Any, Any]

SHAPE = (12, 12, 3)
SMALL: dict[str, Any] = {"source": "dark", "target": "light", "channels": 2, "blocks": 1, "seed": 4}
SPEC = TrainStyle(**SMALL, epochs=3, batch_size=16, judge_every=1)


def normal(*shape: int, dtype: str = "float32") -> tf.Tensor:
    return tf.cast(np.random.default_rng(len(shape)).normal(size=shape), dtype)


def seed(step: int = 0) -> tf.Tensor:
    return tf.constant([4, step], tf.int64)


def game(classes: int = 0, **fields: Any) -> StyleGame:
    keras.utils.set_random_seed(1)
    spec = TrainStyle.model_validate({**SMALL, "precision": "float32", "flip": False, **fields})
    recipe = recipe_for(spec, 12)
    return build(spec, recipe, SHAPE, flip=bool(spec.flip), augment=False, classes=classes)


def test_small_crops_take_smaller_networks_for_longer_and_kept_classes_loosen_what_patches_hold() -> None:
    cut, fastcut, cyclegan = (TrainStyle(method=method) for method in ("cut", "fastcut", "cyclegan"))
    sizes = [(recipe.channels, recipe.steps) for recipe in (recipe_for(cut, side) for side in (28, 64, 128))]
    assert sizes == [(16, 8_000), (32, 4_000), (64, 4_000)]
    assert recipe_for(cyclegan, 28).channels == 32
    assert [recipe_for(spec, 28, classes).nce_weight for spec in (cut, fastcut) for classes in (0, 10)] == [
        1,
        0.1,
        10,
        1,
    ]
    assert recipe_for(TrainStyle(class_weight=0), 28, 10).nce_weight == 1
    assert recipe_for(TrainStyle(nce_weight=3, channels=5), 28, 10).nce_weight == 3


def batch(count: int = 3) -> dict[str, tf.Tensor]:
    random = np.random.default_rng(0)
    return {
        name: tf.constant(random.integers(0, 256, (count, *SHAPE), dtype=np.uint8))
        for name in ("source", "target")
    }


def pixels(images: tf.Tensor) -> tf.Tensor:
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def write(folder: Path, **sets: Array) -> dict[str, Path]:
    for name, images in sets.items():
        ImageSet(images).write(folder / f"{name}.npz")
    return {name: folder / f"{name}.npz" for name in sets}


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Path]:
    """Dark and light pictures: 44 and 50 of different sizes."""
    random = np.random.default_rng(2)
    dark = random.integers(0, 100, (44, 8, 10, 1), dtype=np.uint8)
    light = random.integers(150, 256, (50, 12, 8, 1), dtype=np.uint8)
    return write(tmp_path, dark=dark, light=light)


def nce_by_loops(queries: list[Array], keys: list[Array], temperature: float) -> float:
    layers = []
    for query, key in zip(queries, keys, strict=True):
        losses = []
        for picture in range(len(query)):
            for patch in range(query.shape[1]):
                similar = [
                    float(query[picture, patch] @ key[picture, other]) / temperature
                    for other in range(key.shape[1])
                ]
                losses.append(-np.log(np.exp(similar[patch]) / np.sum(np.exp(similar))))
        layers.append(np.mean(losses))
    return float(np.mean(layers))


def test_patch_nce_is_what_loops_over_pictures_patches_and_layers_come_to() -> None:
    queries = [np.asarray(tf.math.l2_normalize(normal(2, patches, 4), axis=2)) for patches in (5, 3)]
    keys = [np.asarray(tf.math.l2_normalize(normal(2, patches, 4) ** 2, axis=2)) for patches in (5, 3)]
    found = patch_nce([tf.constant(q) for q in queries], [tf.constant(k) for k in keys], 0.07)
    assert float(found) == pytest.approx(nce_by_loops(queries, keys, 0.07), rel=1e-5)
    with tf.GradientTape() as tape:
        tensors = [tf.constant(keys[0])]
        tape.watch(tensors)
        loss = patch_nce([tf.constant(queries[0])], tensors, 0.07)
    assert tape.gradient(loss, tensors) == [None]


def test_difference_and_least_squares_are_means_over_all_pixels_and_patches() -> None:
    one, other = np.asarray(normal(2, 3, 2, 1)), np.asarray(normal(2, 3, 2, 1)) ** 2
    assert float(difference(one, other)) == pytest.approx(np.abs(one - other).sum() / 12)
    squares = OBJECTIVES["least_squares"]
    expected = (((one - 1) ** 2).sum() / 12 + (other**2).sum() / 12) / 2
    assert float(squares.discriminator(one, other)) == pytest.approx(expected)
    assert float(squares.generator(one)) == pytest.approx(((one - 1) ** 2).sum() / 12)


def test_a_step_of_cut_plays_for_the_losses_that_are_calculated_by_hand() -> None:
    model, data, step = game(patches=5), batch(), tf.constant(7, tf.int64)
    source, target = pixels(data["source"]), pixels(data["target"])
    drawn, *before = model.generator(tf.concat([source, target], axis=0))
    after = model.generator(drawn)[1:]
    places = draw_places(before, 5, fork(model.seed(step), PLACES))
    queries, keys = (model.projections.project(each, places) for each in (after, before))
    nce = nce_by_loops([np.asarray(q) for q in queries], [np.asarray(k) for k in keys], 0.07)
    real, fake = (np.asarray(model.discriminator(images)) for images in (target, drawn[:3]))
    found = model.one_step(data, step)
    assert float(found["nce"]) == pytest.approx(nce, rel=1e-3)
    assert float(found["d_loss"]) == pytest.approx(
        (np.mean((real - 1) ** 2) + np.mean(fake**2)) / 2, rel=1e-4
    )
    # The generator's part of the game is against the discriminator as it is by now.
    game_now = np.mean((np.asarray(model.discriminator(drawn[:3])) - 1) ** 2)
    assert float(found["game"]) == pytest.approx(game_now, rel=1e-4)
    assert float(found["g_loss"]) == pytest.approx(game_now + nce, rel=1e-3)


def test_classes_that_are_to_stay_count_as_cross_entropies_calculated_by_hand() -> None:
    model, labels = game(classes=4, class_weight=3.0), np.array([2, 0, 3], np.int32)
    data = {**batch(), "source_class": tf.constant(labels), "target_class": tf.constant(labels[::-1])}
    source, target = pixels(data["source"]), pixels(data["target"])
    drawn = model.generator(tf.concat([source, target], axis=0))[0][:3]
    head = [np.asarray(weight) for weight in model.reader.layers[-2].weights]
    found = model.one_step(data, tf.constant(7, tf.int64))
    # What the discriminator has learnt of target pictures: its head moved, which nothing else moves.
    assert not any(
        np.array_equal(before, after)
        for before, after in zip(head, model.reader.layers[-2].weights, strict=True)
    )
    answers = np.asarray(model.reader(drawn)[1], np.float64)  # of the discriminator as it is by now
    losses = [
        -np.log(np.exp(row[label]) / np.exp(row).sum()) for row, label in zip(answers, labels, strict=True)
    ]
    assert float(found["classes"]) == pytest.approx(np.mean(losses), rel=1e-4)
    expected = found["game"] + found["nce"] + 3.0 * found["classes"]
    assert float(found["g_loss"]) == pytest.approx(float(expected), rel=1e-4)
    assert game(class_weight=0.0, classes=4).reader is None
    assert game().reader is None


def test_a_step_of_cyclegan_plays_for_the_losses_that_are_calculated_by_hand() -> None:
    model, data = game(method="cyclegan", image_pool=0, identity_weight=0.25), batch()
    assert model.back is not None
    source, target = (np.asarray(pixels(data[name])) for name in ("source", "target"))
    there, back = (
        lambda images, network=network: np.asarray(network(images)[0])  # type: ignore[misc]
        for network in (model.generator, model.back)
    )
    fake_target, fake_source = there(source), back(target)
    cycle = np.abs(back(fake_target) - source).mean() + np.abs(there(fake_source) - target).mean()
    identity = np.abs(there(target) - target).mean() + np.abs(back(source) - source).mean()
    played = sum(
        np.mean((np.asarray(judge(fake)) - 1) ** 2)
        for judge, fake in ((model.judge_of_target, fake_target), (model.judge_of_source, fake_source))
    )
    found = model.one_step(data, tf.constant(0, tf.int64))
    assert float(found["cycle"]) == pytest.approx(cycle, rel=1e-4)
    assert float(found["identity"]) == pytest.approx(identity, rel=1e-4)
    assert float(found["game"]) == pytest.approx(played, rel=1e-4)
    assert float(found["g_loss"]) == pytest.approx(played + 10 * (cycle + 0.25 * identity), rel=1e-4)


def test_mirrored_features_are_mirrored_back_where_crops_are_mirrored() -> None:
    model = game(method="fastcut", flip=True, patches=4)
    turns = {
        bool(tf.reduce_any(model._mirror(seed(step))(normal(1, 1, 3, 1)) != normal(1, 1, 3, 1)))
        for step in range(9)
    }
    assert turns == {True, False}
    still = game(method="fastcut", patches=4)._mirror(seed())(normal(1, 1, 3, 1))
    assert np.array_equal(still, normal(1, 1, 3, 1))


def test_the_pool_gives_back_what_a_list_with_the_same_draws_would() -> None:
    pool, held = ImagePool(3, (1, 1, 1), "pool"), []
    for step in range(6):
        images = np.arange(4 * step, 4 * step + 4, dtype=np.float32).reshape(4, 1, 1, 1)
        found = np.asarray(pool.exchanged(tf.constant(images), seed(step)))[:, 0, 0, 0]
        draws = np.asarray(philox_uniform((2, 4), fork(seed(step), 0)))
        for number, image in enumerate(images[:, 0, 0, 0]):
            if len(held) < 3:
                held.append(image)
                expected = image
            elif draws[0, number] < 0.5:
                place = int(draws[1, number] * 3)
                expected, held[place] = held[place], image
            else:
                expected = image
            assert found[number] == expected
    assert np.asarray(pool.images.value)[:, 0, 0, 0].tolist() == held
    assert len(pool.weights) == 2


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_lean_layers_and_their_gradients_are_tensorflows(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = normal(2, 6, 5, 3, dtype=dtype)
    policy = dtype if dtype == "float32" else f"mixed_{dtype}"
    tolerance = 1e-4 if dtype == "float32" else 0.05
    for layer in (
        layers.ReflectedConv2D(4, 3, dtype=policy),
        layers.ReflectedConv2D(4, 3, 2, dtype=policy),
        layers.ReflectedConv2D(4, 7, dtype=policy),
        layers.InstanceNormalization(dtype=policy),
        layers.Doubled(dtype=policy),
    ):
        found = []
        for lean in (True, False):
            monkeypatch.setattr(layers, "is_lean", lambda _, lean=lean: lean)
            with tf.GradientTape() as tape:
                tape.watch(images)
                outputs = layer(images)
                score = tf.reduce_sum(tf.sin(tf.cast(outputs, tf.float32)))
            watched = [images, *(weight.value for weight in layer.trainable_variables)]
            found.append([outputs, *tape.gradient(score, watched)])
            assert tuple(layer.compute_output_shape(images.shape)) == tuple(outputs.shape)
        for one, other in zip(*found, strict=True):
            one, other = (np.asarray(tf.cast(each, tf.float32)) for each in (one, other))
            assert np.abs(one - other).max() <= tolerance * max(np.abs(other).max(), 1.0)


@pytest.mark.parametrize("by", [1, 3])
def test_what_is_put_around_pictures_of_any_side_and_its_gradient_are_tensorflows(by: int) -> None:
    random = np.random.default_rng(by)
    for height, width in ((by + 1, 9), (2 * by + 1, by + 1), (2 * by + 2, 2 * by + 3)):
        images = tf.constant(random.normal(size=(2, height, width, 3)).astype(np.float32))
        weights = random.normal(size=(2, height + 2 * by, width + 2 * by, 3)).astype(np.float32)
        found = []
        for around in (layers.reflected, layers._mirrored):
            with tf.GradientTape() as tape:
                tape.watch(images)
                outputs = around(images, by)
                score = tf.reduce_sum(outputs * weights)
            found.append((outputs, tape.gradient(score, images)))
        assert np.array_equal(found[0][0], found[1][0])
        np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5, atol=1e-5)


def test_a_generator_takes_pictures_of_any_size_and_draws_as_in_training() -> None:
    keras.utils.set_random_seed(3)
    fixed = build_generator(Size(2, 2), 3, "float32", 12)
    free = build_generator(Size(2, 2), 3, "float32")
    free.set_weights(fixed.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (3, 12, 12, 3), dtype=np.uint8)
    draw = painter(free, 3)
    np.testing.assert_allclose(draw(np.asarray(pixels(images))), fixed(pixels(images))[0], atol=1e-5)
    assert paint(draw, images).shape == images.shape
    assert draw(np.zeros((1, 8, 40, 3), np.float32)).shape == (1, 8, 40, 3)


def test_crops_are_parts_of_the_pictures_and_follow_from_the_seed_alone() -> None:
    images = tf.constant(np.arange(4 * 9 * 7, dtype=np.uint8).reshape(4, 9, 7, 1))
    found = np.asarray(cropped(images, 5, seed(1), flip=True))
    assert np.array_equal(found, cropped(images, 5, seed(1), flip=True))
    assert not np.array_equal(found, cropped(images, 5, seed(2), flip=True))
    mirrored = 0
    for picture, crop in zip(np.asarray(images), found, strict=True):
        places = [picture[y : y + 5, x : x + 5] for y in range(5) for x in range(3)]
        assert any(np.array_equal(crop, place) or np.array_equal(crop[:, ::-1], place) for place in places)
        mirrored += any(np.array_equal(crop[:, ::-1], place) for place in places)
    assert 0 < mirrored < 4


def test_a_training_leaves_the_generator_pictures_and_what_doing_nothing_comes_to(
    data: dict[str, Path], tmp_path: Path, context_that_stops: Contexts, short_classifiers: None
) -> None:
    spec = SPEC.model_copy(update={"method": "cyclegan", "image_pool": 5})
    result = run_locally(spec, tmp_path / "whole", data)
    assert (result.crop, result.channels, result.steps) == (8, 1, 12)
    assert result.rows_repeated == 14
    assert None not in (result.frechet_distance, result.source_frechet_distance)
    assert result.content_kept is None
    names = {path.name for path in (tmp_path / "whole/artifacts").iterdir()}
    charts = {"losses.png", "discriminator.png", "quality.png"}
    assert names == {"generator.safetensors", "samples.png", "filmstrip.gif", *charts}
    with Image.open(tmp_path / "whole/artifacts/filmstrip.gif") as strip:
        assert strip.n_frames == 3  # type: ignore[attr-defined]
    with Image.open(tmp_path / "whole/artifacts/samples.png") as picture:
        assert picture.width / picture.height == pytest.approx(8 / 3, rel=0.1)  # before, after, back again
    with pytest.raises(Stopped):
        run_locally(spec, tmp_path / "stopped", data, context_that_stops(2))
    assert run_locally(spec, tmp_path / "stopped", data).state_sha256 == result.state_sha256


def test_classes_of_both_sets_are_learnt_from_and_a_training_that_was_stopped_ends_the_same(
    tmp_path: Path, context_that_stops: Contexts
) -> None:
    random, data = np.random.default_rng(2), {}
    for name, count in (("dark", 30), ("light", 22)):
        labels = random.integers(0, 3, count)
        images = (50 * labels + random.integers(0, 99, (8, 8, 1, count))).astype(np.uint8)
        data[name] = tmp_path / f"{name}.npz"
        ImageSet(np.moveaxis(images, -1, 0), labels, ("a", "b", "c")).write(data[name])
    spec = SPEC.model_copy(update={"judge_every": 0, "class_weight": 0.5})
    with LocalContext(tmp_path / "sets", data) as context:
        sets = sets_of(spec, context)
        rows = sets.rows(4)
        unlike = ImageSet(sets.target.images, sets.target.labels, ("a", "b", "d"))
    assert (sets.classes, replace(sets, target=unlike).classes, replace(sets, crop=4).classes) == (3, 0, 0)
    for name, given in (("source", sets.source), ("target", sets.target)):
        numbers = rows[name].rows
        assert np.array_equal(np.asarray(rows[f"{name}_class"]), np.asarray(given.labels)[numbers])
    result = run_locally(spec, tmp_path / "whole", data)
    with pytest.raises(Stopped):
        run_locally(spec, tmp_path / "stopped", data, context_that_stops(2))
    assert run_locally(spec, tmp_path / "stopped", data).state_sha256 == result.state_sha256
    without = run_locally(spec.model_copy(update={"class_weight": 0.0}), tmp_path / "without", data)
    assert without.state_sha256 != result.state_sha256


def test_a_weight_of_classes_that_the_sets_do_not_share_is_refused(
    data: dict[str, Path], tmp_path: Path
) -> None:
    spec = SPEC.model_copy(update={"class_weight": 1.0})
    with pytest.raises(
        BadInput, match=r"'class_weight' is of classes that both sets have.*'dark' of no classes"
    ):
        run_locally(spec, tmp_path / "job", data)


def test_grey_pictures_beside_coloured_ones_are_taken_as_three_equal_colours(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    data = write(
        tmp_path,
        dark=random.integers(0, 99, (3, 8, 8, 1), dtype=np.uint8),
        light=random.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8),
    )
    result = run_locally(SPEC.model_copy(update={"epochs": 1}), tmp_path / "job", data)
    assert result.channels == 3
    assert result.remark.startswith("the source pictures are grey and were taken as three equal colours")
    assert result.remark.endswith("nothing was measured: that takes 20 source and 40 target pictures")
    rollback = SPEC.model_copy(update={"epochs": 1, "on_divergence": "rollback"})
    with pytest.raises(BadInput, match=r"20 source and 40 target pictures; there are 3 and 2"):
        run_locally(rollback, tmp_path / "rollback", data)


@pytest.mark.parametrize(
    ("size", "crop"), [((200, 3_000), 200), ((3_000, 200), 200), ((200, 64), 64), ((300, 3_000), 256)]
)
def test_squares_are_as_large_as_the_pictures_of_both_sets_allow(
    size: tuple[int, int], crop: int, tmp_path: Path
) -> None:
    light = np.zeros((2, 260, 256, 3), np.uint8)
    data = write(tmp_path, dark=np.ones((2, *size, 3), np.uint8), light=light)
    with LocalContext(tmp_path / "job", data) as context:
        sets = sets_of(SPEC, context)
    assert (sets.crop, sets.remark) == (crop, "")
    for images in (sets.source, sets.target):
        cut = cropped(tf.constant(images.images), crop, seed(), flip=False)
        assert tuple(cut.shape) == (2, crop, crop, 3)


@pytest.mark.parametrize(
    ("dark", "light", "said"),
    [
        ((1, 8, 8, 1), (5, 8, 8, 1), "'dark' in 'source' has one picture"),
        ((5, 8, 8, 1), (1, 8, 8, 1), "'light' in 'target' has one picture"),
        ((5, 8, 8, 1), (5, 8, 8, 1), "'dark' and 'light' hold the same pictures"),
        ((5, 6, 300, 1), (5, 8, 8, 1), "of 'dark' are 6 x 300 .* squares of 8 pixels; upload them larger"),
    ],
)
def test_sets_that_nothing_can_be_learnt_from_are_refused_in_one_sentence(
    dark: tuple[int, ...], light: tuple[int, ...], said: str, tmp_path: Path
) -> None:
    data = write(tmp_path, dark=np.zeros(dark, np.uint8), light=np.zeros(light, np.uint8))
    with pytest.raises(BadInput, match=said):
        run_locally(SPEC, tmp_path / "job", data)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"source": "print"}, "'source' and 'target' should be different data sets"),
        ({"image_pool": 5}, "'image_pool' belongs to method cyclegan, received it with 'cut'"),
        ({"method": "cyclegan", "patches": 5}, "'patches' belongs to method cut or fastcut"),
        ({"method": "cyclegan", "class_weight": 5}, "'class_weight' belongs to method cut or fastcut"),
        ({"on_divergence": "rollback", "judge_every": 0}, "which only 'judge_every' finds, received 0"),
        ({"crop": 30}, "'crop' should be a multiple of 4"),
    ],
)
def test_fields_that_do_not_fit_together_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSpec, match=said):
        TrainStyle.model_validate(fields)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Look]:
    """A judge that says this, epoch by epoch, in place of one that looks."""
    said: list[Look] = []

    def prepare(judge: Judge, *_: object) -> None:
        judge.pictures, judge.floor, judge.accuracy = np.zeros((1, 8, 8, 1), np.uint8), 0.1, 0.9
        judge.source = Look(9.0, 1.0, 0.5, False)

    monkeypatch.setattr(watching, "BEGINNING_STEPS", 0)
    monkeypatch.setattr(Judge, "__init__", prepare)
    monkeypatch.setattr(Judge, "look", lambda judge, images: said.pop(0))
    return said


def test_a_collapse_to_one_picture_or_to_the_identity_is_said(
    looks: list[Look], data: dict[str, Path], tmp_path: Path
) -> None:
    spec = SPEC.model_copy(update={"epochs": 4})  # the first is the beginning, which may be anything
    looks += [Look(8.0, 0.5, 0.5, True), Look(8.0, 0.001, 0.5, False)]
    with pytest.raises(Diverged, match=r"collapsed in epoch 2/4: .* 0\.001 of the variety"):
        run_locally(spec, tmp_path / "one", data)
    looks[:] = [Look(8.0, 0.5, 0.5, False), Look(8.9, 0.9, 0.5, True)]
    with pytest.raises(Diverged, match=r"collapsed to the identity in epoch 2/4"):
        run_locally(spec, tmp_path / "two", data)


def test_after_a_collapse_training_can_go_back_and_the_best_epoch_is_kept(
    looks: list[Look], data: dict[str, Path], tmp_path: Path
) -> None:
    looks += [Look(4.0, 1.0, 0.8, False), Look(8.9, 1.0, 0.5, True), Look(5.0, 1.0, 0.9, False)]
    result = run_locally(SPEC.model_copy(update={"on_divergence": "rollback"}), tmp_path / "job", data)
    assert (result.rollbacks, result.best_epoch) == (1, 1)
    assert (result.frechet_distance, result.content_kept, result.source_content) == (
        4.0,
        pytest.approx(0.8),
        0.5,
    )


def test_pictures_that_stay_what_they_were_are_noticed(
    data: dict[str, Path], tmp_path: Path, short_classifiers: None
) -> None:
    with LocalContext(tmp_path / "job", data) as context:
        judge = Judge(sets_of(SPEC, context), context, 0)
    assert judge.look(judge.pictures).unchanged
    assert not judge.look(judge.pictures + np.uint8(50)).unchanged
    assert judge.look(np.zeros_like(judge.pictures)).spread < watching.COLLAPSED


def test_an_update_in_one_operation_is_kerass() -> None:
    weights = []
    for kind in (keras.optimizers.Adam, FusedAdam):
        variable = keras.Variable(np.array([1.0, -2.0, 3.0], np.float32))
        optimizer = kind(0.1, 0.5, 0.999)
        optimizer.build([variable])
        for step in range(4):
            optimizer.apply([tf.constant([1.0, 0.1 * step, -5.0])], [variable])
        weights.append([np.asarray(tf.identity(each.value)) for each in (variable, *optimizer.variables)])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)
