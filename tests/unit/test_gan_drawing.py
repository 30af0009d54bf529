import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tensorflow")

from jobs import GenerateImages, TrainGan
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput, InvalidSpec
from jobs.gan.generate import FRAMES, draw_latents
from jobs.gan.interpolation import round_trip, spherical
from jobs.local import run_locally


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished job `plain`, which is not conditional."""
    home = tmp_path_factory.mktemp("home")
    images = np.random.default_rng(0).integers(0, 256, (20, 6, 5, 3), dtype=np.uint8)
    ImageSet(images).write(home / "tiny.npz")
    run_locally(
        TrainGan(architecture="mlp", dataset="tiny", epochs=2, latent_dim=4),
        home / "plain",
        {"tiny": home / "tiny.npz"},
    )
    return home


def test_truncated_latents_are_within_and_the_same_for_every_count() -> None:
    latents = draw_latents(3, 500, 8, truncation=0.7)
    assert np.abs(latents).max() <= 0.7
    np.testing.assert_array_equal(draw_latents(3, 20, 8, truncation=0.7), latents[:20])
    kept = np.abs(draw_latents(3, 500, 8)) <= 0.7
    np.testing.assert_array_equal(latents[kept], draw_latents(3, 500, 8)[kept])
    # The standard deviation of a standard normal number that is known to lie in [-0.7, 0.7].
    assert latents.std() == pytest.approx(0.3883, abs=0.01)


def test_an_interpolation_keeps_to_the_sphere_and_comes_back() -> None:
    a, b = np.array([2.0, 0.0, 0.0]), np.array([0.0, 2.0, 0.0])
    np.testing.assert_allclose(spherical(a, b, 1 / 3), [2 * np.cos(np.pi / 6), 1.0, 0.0])
    np.testing.assert_allclose(spherical(a, 2 * a, 0.5), 1.5 * a)
    np.testing.assert_allclose(spherical(a, -a, 0.25), 0.5 * a)
    path = round_trip(np.stack([a, b]), 4)
    assert path.shape == (8, 3)
    np.testing.assert_allclose(path[[0, 4]], [a, b])
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), 2.0, rtol=1e-6)
    np.testing.assert_allclose(path[1], path[7], atol=1e-6)


def test_an_interpolation_is_an_animation_that_begins_with_the_first_image(home: Path) -> None:
    run_locally(GenerateImages(model="plain", count=3, interpolate=2), home / "animated")
    artifacts = home / "animated/artifacts"
    animation = Image.open(io.BytesIO((artifacts / "interpolation.gif").read_bytes()))
    assert (animation.n_frames, animation.size) == (2 * FRAMES, (260, 312))
    first = np.asarray(Image.open(io.BytesIO((artifacts / "images/0000.png").read_bytes())), float)
    shown = np.asarray(animation.convert("RGB"), float)[26::52, 26::52]
    assert np.abs(shown - first).max() < 40  # a GIF has 256 colours


def test_a_label_is_refused_where_there_are_no_classes(home: Path) -> None:
    with pytest.raises(BadInput, match=r"job plain is not conditional, .*; leave out 'label', or train with"):
        run_locally(GenerateImages(model="plain", label="3"), home / "labelled")


def test_a_label_may_be_a_number_and_limits_are_checked() -> None:
    assert GenerateImages(model="a", label=3).label == "3"  # type: ignore[arg-type]
    for wrong in ({"truncation": 0.0}, {"interpolate": 1}, {"label": 1.5}):
        with pytest.raises(InvalidSpec, match=next(iter(wrong))):
            GenerateImages.model_validate({"model": "a", **wrong})
