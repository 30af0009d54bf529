import json
from pathlib import Path

import keras
import numpy as np
import pytest

pytest.importorskip("tensorflow")

from jobs import AugmentDataSet, EvaluateGan, GenerateImages, TrainGan
from jobs.datasets.images import named
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput, InvalidSpec
from jobs.gan import augment, evaluate, generate
from jobs.gan.generate import Generator
from jobs.gan.measures import classifier
from jobs.local import run_locally

NAMES = tuple("0123456789")


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return named.load("digits")


@pytest.fixture
def home(digits: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which every model is a conditional one, that draws each class's mean with some noise."""
    means = np.stack([digits.images[digits.labels == digit].mean(axis=0) for digit in range(10)])
    latents, labels = keras.Input((64,)), keras.Input((), dtype="int32")
    drawn = keras.layers.Embedding(10, 64, weights=[means.reshape(10, 64) / 127.5 - 1], name="means")(labels)
    noise = keras.layers.Rescaling(0.3)(latents)
    network = keras.Model([latents, labels], keras.layers.Reshape((8, 8, 1))(drawn + noise))
    spec = TrainGan(architecture="mlp", dataset="digits", latent_dim=64)
    generator = Generator(network, "model", spec, (8, 8, 1), NAMES)
    for module in (augment, evaluate, generate):
        monkeypatch.setattr(module, "load_generator", lambda job, context: generator)
    return tmp_path


def test_samples_become_a_data_set_whose_effect_is_measured(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "STEPS", 60)
    result = run_locally(AugmentDataSet(model="model", name="more", per_class=20, real=30), home / "job")
    made = ImageSet.read(home / "job/datasets/more.npz")
    assert (result.dataset, result.count, result.real, result.held_out) == ("more", 200, 30, 1767)
    assert (made.class_names, made.labels.tolist()) == (NAMES, [*range(10)] * 20)
    assert len(result.accuracies) == len(result.augmented_accuracies) == 3
    assert result.accuracy == pytest.approx(np.mean(result.accuracies))
    # 30 digits are too few, and means of the classes are good examples.
    assert 0.4 < result.accuracy < result.augmented_accuracy
    assert result.remark.startswith("the model was trained on the held-out images, too")
    assert json.loads((home / "job/artifacts/effect.json").read_text())["count"] == 200
    assert (home / "job/artifacts/effect.png").read_bytes().startswith(b"\x89PNG")


def test_a_conditional_model_is_asked_for_classes_and_judged_by_them(home: Path) -> None:
    result = run_locally(EvaluateGan(model="model", count=300), home / "judged")
    assert result.label_accuracy is not None
    assert result.label_accuracy > 0.8
    assert result.class_coverage == 1.0
    assert result.class_balance is not None
    assert result.class_balance > 0.8


def test_a_label_is_a_name_or_a_number_and_without_one_the_classes_come_in_turn(home: Path) -> None:
    run_locally(GenerateImages(model="model", count=12), home / "turns")
    turns = ImageSet.read(home / "turns/artifacts/images.npz")
    assert turns.labels.tolist() == [*range(10), 0, 1]
    assert turns.class_names == NAMES
    run_locally(GenerateImages(model="model", count=12, label="1", interpolate=2), home / "ones")
    ones = ImageSet.read(home / "ones/artifacts/images.npz")
    assert ones.labels.tolist() == [1] * 12
    np.testing.assert_array_equal(ones.images[[1, 11]], turns.images[[1, 11]])
    assert (home / "ones/artifacts/interpolation.gif").is_file()
    with pytest.raises(BadInput, match=r"knows no class '10': its classes are 0, 1, 2.*numbers from 0 to 9"):
        run_locally(GenerateImages(model="model", label="10"), home / "ten")


def test_images_of_other_classes_are_refused(home: Path, digits: ImageSet) -> None:
    ImageSet(digits.images[:50]).write(home / "bare.npz")
    spec = AugmentDataSet(model="model", name="more", dataset="bare")
    with pytest.raises(BadInput, match=r"has the classes \(none\) and job model draws 0, 1, 2"):
        run_locally(spec, home / "job", {"bare": home / "bare.npz"})


def test_names_of_data_sets_that_come_with_triptych_are_refused_at_once() -> None:
    with pytest.raises(InvalidSpec, match="'name' is the name of a data set that comes with Triptych"):
        AugmentDataSet(model="a", name="digits")
    with pytest.raises(InvalidSpec, match="name"):
        AugmentDataSet(model="a", name="../digits")


def test_a_model_that_is_not_conditional_cannot_make_labels(tmp_path: Path) -> None:
    run_locally(TrainGan(architecture="mlp", dataset="digits", epochs=1), tmp_path / "plain")
    with pytest.raises(BadInput, match="job plain is not conditional: train with conditional=true"):
        run_locally(AugmentDataSet(model="plain", name="more"), tmp_path / "job")
