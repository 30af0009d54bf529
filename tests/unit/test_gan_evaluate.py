import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tensorflow")

from jobs import EvaluateGan, Evaluation, TrainGan
from jobs.datasets.images import named
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput
from jobs.gan.evaluate import by_class, classes, memorisation
from jobs.gan.measures.features import Seen, feature_network
from jobs.local import LocalContext, run_locally


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, cache_of_all: Path) -> Path:
    """A folder with a finished job `plain`, hardly trained."""
    home = tmp_path_factory.mktemp("home")
    (home / ".triptych-cache").symlink_to(cache_of_all)
    run_locally(TrainGan(architecture="mlp", dataset="digits", epochs=3, latent_dim=8), home / "plain")
    return home


def test_an_evaluation_says_how_far_a_generator_is_and_what_real_images_come_to(home: Path) -> None:
    result: Evaluation = run_locally(EvaluateGan(model="plain"), home / "judged")
    assert (result.count, result.features, result.remark) == (898, "classes", "")
    assert result.frechet_distance > 20 * result.floor_frechet_distance > 0
    assert result.kernel_distance > 10 * result.kernel_distance_error
    assert abs(result.floor_kernel_distance) < 5 * result.floor_kernel_distance_error
    assert max(result.precision, result.recall) < 0.5 < min(result.floor_precision, result.floor_recall)
    assert sum(result.class_shares.values()) == pytest.approx(1)
    assert list(result.class_shares) == [str(digit) for digit in range(10)]
    assert result.class_coverage is not None
    assert result.class_coverage <= 1
    assert result.label_accuracy is None
    assert result.copied < 0.05
    artifacts = home / "judged/artifacts"
    assert Evaluation.model_validate_json((artifacts / "evaluation.json").read_text()) == result
    # 10 rows of a sample and 5 neighbours, 10 rows of 10 samples; each with its 2 pixels in between.
    with Image.open(artifacts / "neighbours.png") as picture:
        assert picture.width * (10 * 10 + 2) == picture.height * (6 * 10 + 2)
    with Image.open(artifacts / "classes.png") as picture:
        assert picture.width == picture.height >= 512


def test_the_same_evaluation_twice_gives_the_same_figures(home: Path) -> None:
    first, second = (run_locally(EvaluateGan(model="plain", count=50), home / name) for name in ("a", "b"))
    assert first == second
    assert first.count == 50


@pytest.mark.usefixtures("short_classifiers")
def test_without_labels_classes_are_left_out_and_the_remark_says_so(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), dtype=np.uint8)
    ImageSet(images).write(tmp_path / "plain.npz")
    data = {"plain": tmp_path / "plain.npz"}
    run_locally(TrainGan(architecture="mlp", dataset="plain", epochs=1), tmp_path / "job", data)
    result = run_locally(EvaluateGan(model="job"), tmp_path / "judged", data)
    assert (result.count, result.features, result.class_coverage) == (25, "rotations", None)
    assert "does not have labels of two classes or more" in result.remark
    names = {path.name for path in (tmp_path / "judged/artifacts").iterdir()}
    assert names == {"evaluation.json", "neighbours.png"}
    assert json.loads((tmp_path / "judged/result.json").read_text())["class_balance"] is None

    ImageSet(images[:39]).write(tmp_path / "plain.npz")
    with pytest.raises(BadInput, match="'plain' has 39 images, and measuring needs at least 40"):
        run_locally(EvaluateGan(model="job"), tmp_path / "few", data)
    ImageSet(images[:, :7]).write(tmp_path / "plain.npz")
    with pytest.raises(BadInput, match=r"images of \(7, 8, 1\) .* and job job draws \(8, 8, 1\); train on"):
        run_locally(EvaluateGan(model="job"), tmp_path / "other", data)


def test_copies_of_training_images_are_noticed() -> None:
    random = np.random.default_rng(0)
    training = random.integers(0, 256, (300, 5, 4, 3), dtype=np.uint8)
    fresh = random.integers(0, 256, (100, 5, 4, 3), dtype=np.uint8)
    assert memorisation(fresh, training, seed=0).copied < 0.06
    fresh[:40] = training[60:100]
    fresh[:40, 0, 0] ^= 1
    assert memorisation(fresh, training, seed=0).copied == pytest.approx(0.4, abs=0.05)


def test_coverage_and_balance_count_classes_as_often_as_the_data_has_them(home: Path) -> None:
    data = named.load("digits")
    with LocalContext(home / "classes") as context:
        network = feature_network(data, context)

    def measured(answers: np.ndarray, asked: np.ndarray | None = None) -> dict[str, object]:
        return dict(classes(data, network, Seen(np.zeros((len(answers), 2)), answers), asked))

    real = measured(data.labels)
    assert (real["class_coverage"], real["class_balance"]) == (1.0, pytest.approx(1.0))
    half = measured(np.arange(100) % 5)
    assert half["class_coverage"] == 0.5
    assert half["class_balance"] == pytest.approx((data.labels < 5).mean())
    assert half["class_shares"]["4"] == 0.2  # type: ignore[index]
    assert measured(np.arange(100) % 10, np.arange(100) % 5)["label_accuracy"] == 0.5


def test_a_class_without_samples_is_a_black_row() -> None:
    images = np.full((4, 8, 8, 1), 200, np.uint8)
    seen = Seen(np.zeros((4, 2)), np.array([2, 2, 0, 2]))
    assert by_class(images, None, seen, ("a", "b", "c")) == by_class(
        images, np.array([2, 0, 2, 2]), seen, ("a", "b", "c")
    )
    assert by_class(images, None, seen, ("a", "b", "c")) != by_class(
        images, np.array([2, 1, 2, 2]), seen, ("a", "b", "c")
    )
