"""Paired style transfer: losses by hand, what is held out, scores beside brute force, evaluation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.pairs.pairs import Pairs
from jobs.errors import BadInput, InvalidSpec, Stopped
from jobs.gan.style.data import held_out, sets_of
from jobs.gan.style.methods.building import build
from jobs.gan.style.networks.generator import build_generator
from jobs.gan.style.networks.size import Size, halvings_of
from jobs.gan.style.painting import painter
from jobs.gan.style.partners import mean_difference, scores, signal_to_noise
from jobs.gan.style.recipes import recipe_for
from jobs.gan.style.spec import ApplyStyle, EvaluateStyle, TrainStyle
from jobs.gan.style.whole import translated
from jobs.local import LocalContext, run_locally

Contexts = Callable[[int | None], type[LocalContext]]
Array = np.ndarray[Any, Any]

SMALL: dict[str, Any] = {"method": "pix2pix", "pairs": "own", "channels": 2, "epochs": 2, "batch_size": 16}


def write(folder: Path, count: int = 240, shape: tuple[int, int] = (8, 8)) -> dict[str, Path]:
    """Dark grey pictures, and their colourful partners, which are brighter by 100 and noisy."""
    random = np.random.default_rng(0)
    source = random.integers(0, 100, (count, *shape, 1), dtype=np.uint8)
    noise = random.integers(0, 20, (count, *shape, 3), dtype=np.uint8)
    (folder / "own").mkdir(parents=True)
    names = tuple(map(str, range(count)))
    Pairs(ImageSet(source), ImageSet(source + np.uint8(100) + noise), names).write(folder / "own")
    return {"own": folder / "own"}


def tiles(path: Path, columns: int) -> list[list[Array]]:
    """Rows of the pictures of 8 x 8 pixels that a grid shows."""
    with Image.open(path) as picture:
        scale = picture.width // (10 * columns + 2)
        pixels = np.asarray(picture)[::scale, ::scale]
    rows = range(2, len(pixels) - 8, 10)
    return [[pixels[y : y + 8, x : x + 8] for x in range(2, 10 * columns, 10)] for y in rows]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pairs, and a training that has held 24 of them out."""
    home = tmp_path_factory.mktemp("home")
    run_locally(TrainStyle.model_validate({**SMALL, "judge_every": 0}), home / "paired", write(home))
    return home


def test_a_step_of_pix2pix_plays_for_the_losses_that_are_calculated_by_hand() -> None:
    keras.utils.set_random_seed(1)
    spec = TrainStyle.model_validate({**SMALL, "precision": "float32", "l1_weight": 7.0, "game_weight": 0.5})
    model = build(spec, recipe_for(spec, 8), (8, 8, 3), flip=False, augment=False)
    random = np.random.default_rng(0)
    data = {
        name: random.integers(0, 256, (3, 8, 8, channels), dtype=np.uint8)
        for name, channels in (("source", 1), ("target", 3))
    }
    source, target = (data[name].astype(np.float32) / 127.5 - 1 for name in ("source", "target"))
    source = source.repeat(3, axis=3)
    drawn = np.asarray(model.generator(source)[0])
    l1 = (
        sum(abs(float(a) - float(b)) for a, b in zip(drawn.ravel(), target.ravel(), strict=True)) / drawn.size
    )
    real, fake = (
        np.asarray(model.discriminator(np.concatenate([source, each], axis=3))) for each in (target, drawn)
    )
    found = model.one_step(
        {name: tf.constant(images) for name, images in data.items()}, tf.constant(0, tf.int64)
    )
    assert float(found["l1"]) == pytest.approx(l1, rel=1e-4)
    assert float(found["d_loss"]) == pytest.approx(
        (np.mean((real - 1) ** 2) + np.mean(fake**2)) / 2, rel=1e-4
    )
    # The generator's part of the game is against the discriminator as it is by now.
    judged = np.asarray(model.discriminator(np.concatenate([source, drawn], axis=3)))
    game = np.mean((judged - 1) ** 2)
    assert float(found["game"]) == pytest.approx(game, rel=1e-4)
    assert float(found["g_loss"]) == pytest.approx(0.5 * game + 7 * l1, rel=1e-4)


def test_without_the_game_the_discriminator_costs_nothing_and_stays_as_it_is() -> None:
    spec = TrainStyle.model_validate({**SMALL, "precision": "float32", "l1_weight": 7.0, "game_weight": 0})
    model = build(spec, recipe_for(spec, 8), (8, 8, 1), flip=False, augment=False)
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8))
    batch = {"source": images, "target": 255 - images}
    judge, painter = (network.get_weights() for network in (model.discriminator, model.generator))
    graph = tf.function(model.one_step, autograph=False).get_concrete_function(
        batch, tf.constant(0, tf.int64)
    )
    found = graph(batch, tf.constant(0, tf.int64))
    read = {id(tensor) for tensor in graph.captured_inputs}
    assert not read & {id(weight.value.handle) for weight in model.discriminator.weights}
    for before, after in zip(judge, model.discriminator.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert not all(map(np.array_equal, painter, model.generator.get_weights()))
    assert float(found["g_loss"]) == pytest.approx(7 * float(found["l1"]))
    assert not any(float(found[name]) for name in ("game", "d_loss", "d_real", "d_fake"))


def test_both_pictures_of_a_pair_are_cut_and_mirrored_alike() -> None:
    spec = TrainStyle.model_validate({**SMALL, "crop": 8})
    model = build(spec, recipe_for(spec, 8), (8, 8, 1), flip=True, augment=False)
    images = np.random.default_rng(0).integers(0, 200, (6, 11, 13, 1), dtype=np.uint8)
    for step in range(3):
        batch = {"source": tf.constant(images), "target": tf.constant(images + np.uint8(50))}
        source, target = model.crops(batch, model.seed(tf.constant(step, tf.int64)))
        np.testing.assert_allclose(target - source, 50 / 127.5, atol=1e-5)


@pytest.mark.parametrize(("crop", "halvings"), [(8, 1), (28, 2), (64, 4), (256, 6), (1024, 6)])
def test_a_u_net_halves_as_long_as_the_sides_stay_whole(crop: int, halvings: int) -> None:
    assert halvings_of("unet", crop) == halvings
    assert crop % Size(1, 0, "unet", halvings).multiple == 0
    assert halvings_of("resnet", crop) == 2


def test_a_u_net_takes_pictures_of_any_size_and_draws_as_in_training() -> None:
    keras.utils.set_random_seed(3)
    size = Size(2, 0, "unet", 3)
    fixed, free = build_generator(size, 3, "float32", 16), build_generator(size, 3, "float32")
    free.set_weights(fixed.get_weights())
    draw = painter(free, 3)
    images = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(draw(images), fixed(images)[0], atol=1e-5)
    picture = np.random.default_rng(1).integers(0, 256, (5, 37, 3), dtype=np.uint8)
    assert translated(draw, picture, size).shape == picture.shape


def test_what_is_held_out_follows_from_the_seed_and_leaves_two_pairs(tmp_path: Path) -> None:
    found = held_out(50, 0.1, seed=3)
    assert len(found) == 5
    assert np.array_equal(found, held_out(50, 0.1, seed=3))
    assert not np.array_equal(found, held_out(50, 0.1, seed=4))
    assert (len(held_out(3, 0.9, 0)), len(held_out(9_000, 0.5, 0)), len(held_out(5, 0.0, 0))) == (1, 500, 0)
    with LocalContext(tmp_path / "job", write(tmp_path, 30)) as context:
        sets = sets_of(TrainStyle.model_validate(SMALL), context)
    rows = sets.rows(0)
    assert np.array_equal(rows["source"].rows, rows["target"].rows)
    assert sorted([*rows["source"].rows, *sets.held_out]) == list(range(30))
    assert sets.remark.startswith("the source pictures are grey")
    with LocalContext(tmp_path / "most", {"own": tmp_path / "own"}) as context:
        all_but_two = sets_of(TrainStyle.model_validate({**SMALL, "validation": 0.99}), context)
    assert all_but_two.remark.endswith("; 28 pairs are held out, as many as may be, and not 29")


def test_scores_are_what_loops_over_pictures_come_to() -> None:
    random = np.random.default_rng(2)
    images, partners = random.integers(0, 256, (2, 3, 5, 4, 3), dtype=np.uint8)
    differences, noise = [], []
    for image, partner in zip(images, partners, strict=True):
        each = [(int(a) - int(b)) / 255 for a, b in zip(image.ravel(), partner.ravel(), strict=True)]
        differences.append(sum(map(abs, each)) / len(each))
        noise.append(10 * np.log10(1 / (sum(value**2 for value in each) / len(each))))
    assert mean_difference(images, partners) == pytest.approx(np.mean(differences))
    assert signal_to_noise(images, partners) == pytest.approx(np.mean(noise))
    found = scores(images, partners, partners, partners)
    assert (found.pairs, found.l1, found.psnr, found.structural_similarity) == (3, 0, 100, pytest.approx(1))
    assert found.shifted_l1 == 0 < found.source_l1


def test_a_training_from_pairs_measures_the_pairs_that_it_has_held_out(
    tmp_path: Path, context_that_stops: Contexts, short_classifiers: None
) -> None:
    data, spec = write(tmp_path), TrainStyle.model_validate({**SMALL, "judge_every": 1})
    result = run_locally(spec, tmp_path / "whole", data)
    assert (result.crop, result.channels, result.steps) == (8, 3, 28)
    assert result.frechet_distance is not None
    assert result.validation is not None
    assert result.validation.pairs == 24
    assert result.validation.source_l1 == pytest.approx(109 / 255, abs=0.01)
    assert result.validation.shifted_l1 < result.validation.source_l1
    with Image.open(tmp_path / "whole/artifacts/samples.png") as picture:
        assert picture.width / picture.height == pytest.approx(8 / 3, rel=0.1)  # before, after, partner
    with pytest.raises(Stopped):
        run_locally(spec, tmp_path / "stopped", data, context_that_stops(2))
    assert run_locally(spec, tmp_path / "stopped", data) == result.model_copy(
        update={"seconds": pytest.approx(0, abs=1e9), "images_per_second": pytest.approx(0, abs=1e9)}
    )


def test_an_evaluation_with_pairs_stands_beside_identity_and_shifted_colours(
    home: Path, tmp_path: Path, short_classifiers: None
) -> None:
    data = {
        "own": home / "own",
        **{f"more-{name}": path for name, path in write(tmp_path, 44, (9, 8)).items()},
    }
    found = run_locally(EvaluateStyle(model="paired"), home / "evaluation", data)
    assert found.count == found.partners.pairs == 24  # those that were held out
    assert found.partners.shifted_l1 < found.partners.source_l1
    assert found.copied is not None
    assert found.remark == ""
    names = {path.name for path in (home / "evaluation/artifacts").iterdir()}
    assert names == {"evaluation.json", "methods.png", "neighbours.png"}
    shown = tiles(home / "evaluation/artifacts/methods.png", columns=10)
    source = Pairs.open(home / "own").source.images[held_out(240, 0.1, 0)]
    for column, row in ((0, 0), (9, 23)):  # of the whole set, not the first ten
        np.testing.assert_array_equal(shown[0][column], np.repeat(source[row], 3, axis=2))
    other = run_locally(EvaluateStyle(model="paired", pairs="more-own"), home / "other", data)
    assert other.partners.pairs == 22
    with pytest.raises(BadInput, match="has learnt from pairs: give 'target' as well, or neither"):
        run_locally(EvaluateStyle(model="paired", source="digits"), home / "half", data)


def test_an_unpaired_model_is_judged_by_true_pairs(home: Path, short_classifiers: None) -> None:
    random = np.random.default_rng(0)
    data = {"own": home / "own"}
    for name, channels in (("dark", 1), ("light", 3)):
        ImageSet(random.integers(0, 256, (4, 8, 8, channels), dtype=np.uint8)).write(home / f"{name}.npz")
        data[name] = home / f"{name}.npz"
    spec = TrainStyle(source="dark", target="light", epochs=1, channels=2, blocks=1, judge_every=0)
    run_locally(spec, home / "unpaired", data)
    found = run_locally(EvaluateStyle(model="unpaired", pairs="own", count=30), home / "judged", data)
    assert (found.count, found.partners.pairs) == (30, 30)
    assert "classes" not in found.remark


def test_pictures_are_translated_by_a_paired_model_whole(home: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 5, 21, 3), dtype=np.uint8)
    ImageSet(images).write(home / "odd.npz")
    result = run_locally(
        ApplyStyle(model="paired", dataset="odd"), home / "applied", {"odd": home / "odd.npz"}
    )
    assert (result.height, result.width, result.channels) == (5, 21, 3)


def test_pairs_that_nothing_can_be_learnt_from_are_refused_in_one_sentence(tmp_path: Path) -> None:
    images = ImageSet(np.zeros((3, 8, 8, 1), np.uint8))
    spec = TrainStyle.model_validate(SMALL)
    for name, given, said in (
        ("same", images, "both sides of the pairs 'own' are the same pictures"),
        ("one", ImageSet(images.images[:1]), "the pairs 'own' are one alone"),
        ("small", ImageSet(np.zeros((3, 4, 9, 1), np.uint8)), "of the pairs 'own' are 4 x 9, .* of 8 pixels"),
    ):
        (tmp_path / name).mkdir()
        target = given if name == "same" else ImageSet(given.images + np.uint8(1))
        Pairs(given, target, tuple(map(str, range(len(given))))).write(tmp_path / name)
        with pytest.raises(BadInput, match=said):
            run_locally(spec, tmp_path / f"job-{name}", {"own": tmp_path / name})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"method": "pix2pix"}, "learns from pairs: give the field 'pairs'"),
        ({"method": "pix2pix", "pairs": "own", "source": "digits"}, "no use for the field 'source'"),
        ({"pairs": "own"}, "'pairs' belongs to method pix2pix, received it with 'cut'"),
        ({"method": "cyclegan", "network": "unet"}, "'network' belongs to method pix2pix"),
        ({**SMALL, "blocks": 2}, "with that of pix2pix, a U-Net; leave it out"),
        ({**SMALL, "patches": 2}, "'patches' belongs to method cut or fastcut"),
    ],
)
def test_fields_that_do_not_go_with_pairs_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSpec, match=said):
        TrainStyle.model_validate(fields)


def test_pairs_and_a_set_beside_them_are_refused_and_usual_sets_are_filled_in() -> None:
    with pytest.raises(InvalidSpec, match="'pairs' has both sides, received 'target' beside it"):
        EvaluateStyle(model="a", pairs="own", target="digits")
    assert (TrainStyle().source, TrainStyle(source=None).target) == ("mnist-5k", "print")
    paired = TrainStyle.model_validate({**SMALL, "blocks": 2, "network": "resnet"})
    assert (paired.source, paired.target) == (None, None)
    assert recipe_for(paired, 64).size(64) == Size(2, 2)
