"""What is asked of a trained Vision Transformer: classes of images, and how good they are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf
from PIL import Image
from pyarrow import csv, parquet

from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.images.packing import pack
from jobs.errors import BadInput, InvalidSpec
from jobs.local import run_locally
from jobs.transformer.vision.mistakes import worst
from jobs.transformer.vision.networks.network import Network
from jobs.transformer.vision.simplest import reduced
from jobs.transformer.vision.spec import ClassifyImages, EvaluateImageClassifier, TrainImageClassifier

Array = np.ndarray[Any, Any]
NAMES = ("0", "1", "2", "three", "four", "five")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data sets, and a job `model` that has left a network."""
    home = tmp_path_factory.mktemp("home")
    random = np.random.default_rng(0)
    labels = np.arange(120) % 6
    images = random.integers(0, 100, (120, 6, 5, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[label] += 150
    ImageSet(images, labels, NAMES).write(home / "stripes.npz")
    ImageSet(images[:30]).write(home / "bare.npz")
    ImageSet(images[:30].repeat(3, axis=3), labels[:30] % 2, ("1", "seven")).write(home / "others.npz")
    ImageSet(images[:, :5], labels, NAMES).write(home / "smaller.npz")
    spec = TrainImageClassifier(
        dataset="stripes", test=30.0, epochs=2, width=8, depth=1, batch_size=32, precision="float32"
    )
    run_locally(spec, home / "model", data(home))
    return home


def data(home: Path) -> dict[str, Path]:
    return {path.stem: path for path in home.glob("*.npz")}


def evaluated(home: Path, folder: str, **fields: Any) -> Any:
    spec = EvaluateImageClassifier(model="model", precision="float32", **fields)
    return run_locally(spec, home / folder, data(home))


def test_the_table_has_the_probabilities_and_the_five_best_of_every_image(home: Path) -> None:
    spec = ClassifyImages(model="model", dataset="stripes", precision="float32")
    found = run_locally(spec, home / "classified", data(home))
    table = parquet.read_table(home / "classified/artifacts/predictions.parquet").to_pydict()
    network, _ = Network.read(home / "model/artifacts/model.safetensors", "it")
    stripes = ImageSet.read(home / "stripes.npz")
    wanted = np.asarray(tf.nn.softmax(network.logits(tf.constant(flat4(stripes.images)))))
    np.testing.assert_allclose(
        np.stack([table[f"probability_{name}"] for name in NAMES], axis=1), wanted, atol=1e-6
    )
    assert table["row"] == list(range(120))
    assert len(table) == 2 + 2 * 5 + 6  # no column twice, whatever the classes are called
    assert table["class"] == [NAMES[label] for label in np.asarray(stripes.labels)]
    for row in range(120):
        order = sorted(range(6), key=lambda number: -wanted[row, number])
        best = [table[name][row] for name in ("label", "top_2", "top_3", "top_4", "top_5")]
        assert best == [NAMES[number] for number in order[:5]]
    assert found.rows == 120
    assert sum(found.labels.values()) == 120
    assert found.labels["0"] == table["label"].count("0")


def flat4(images: Array) -> Array:
    return images.astype(np.float32) / 255


def test_images_without_labels_are_classified_to_csv(home: Path) -> None:
    spec = ClassifyImages(model="model", dataset="bare", output="csv")
    assert run_locally(spec, home / "csv", data(home)).rows == 30
    table = csv.read_csv(home / "csv/artifacts/predictions.csv")
    assert table.column_names[:3] == ["row", "label", "probability"]
    assert len(table) == 30


def test_a_folder_of_images_is_classified_in_the_order_of_names(home: Path) -> None:
    folder = home / "files"
    folder.mkdir()
    for number, image in enumerate(ImageSet.read(home / "bare.npz").images):
        Image.fromarray(image[..., 0]).save(folder / f"{number:02d}.png")
    spec = ClassifyImages(model="model", dataset=str(folder), output="csv")
    assert run_locally(spec, home / "from-files").rows == 30
    again = ClassifyImages(model="model", dataset="bare", output="csv")
    run_locally(again, home / "from-set", data(home))
    left = [home / name / "artifacts/predictions.csv" for name in ("from-files", "from-set")]
    assert left[0].read_bytes() == left[1].read_bytes()
    with pytest.raises(InvalidSpec, match=r"field 'dataset' should be a data set's name .* or a folder"):
        ClassifyImages(model="model", dataset="Files/x")


def test_images_of_12_megapixels_are_made_smaller_at_the_upload(tmp_path: Path) -> None:
    Image.new("L", (4_000, 3_000), 200).save(tmp_path / "large.png")
    assert pack(tmp_path).shape == (3_000, 4_000, 1)
    packed = pack(tmp_path, size=(24, 32))
    assert packed.shape == (24, 32, 1)
    assert set(np.unique(packed.images)) == {200}


def test_images_of_another_size_are_refused(home: Path) -> None:
    spec = ClassifyImages(model="model", dataset="smaller")
    with pytest.raises(BadInput, match="are 5 x 5 pixels, and the model takes 6 x 5; upload them"):
        run_locally(spec, home / "wrong-size", data(home))


def test_by_default_the_test_rows_of_the_training_are_measured_beside_the_simplest_methods(
    home: Path,
) -> None:
    found = evaluated(home, "default")
    trained = json.loads((home / "model/result.json").read_text())
    assert found.scores.model_dump() == trained["test"]
    assert found.baselines["majority"] == trained["majority"]
    assert found.baselines["logistic_regression"] > 0.9
    assert set(found.baselines) == {"majority", "nearest_neighbour", "logistic_regression"}
    assert len(found.mistakes) == min(24, 30 - round(found.scores.accuracy * 30))
    left = {path.name for path in (home / "default/artifacts").iterdir()}
    assert left == {"confusion.png", "calibration.png", "mistakes.png", "evaluation.json"}


def test_labels_that_the_model_has_no_class_for_are_refused_or_left_out(home: Path) -> None:
    with pytest.raises(BadInput, match=r"no class for: 'seven' \(15 images\); its classes are 0, 1"):
        evaluated(home, "refused", dataset="others")
    found = evaluated(home, "skipped", dataset="others", unknown="skip")
    assert found.left_out == {"unknown label: seven": 15}
    assert found.scores.rows == 15
    assert found.scores.classes["1"].count == 15
    with pytest.raises(BadInput, match="'bare' have no labels to measure by"):
        evaluated(home, "unlabelled", dataset="bare")


def test_a_data_set_that_has_changed_gives_no_baselines(home: Path) -> None:
    other = {**data(home), "stripes": home / "smaller.npz"}
    spec = EvaluateImageClassifier(model="model", dataset="others", unknown="skip")
    found = run_locally(spec, home / "changed", other)
    assert found.baselines == {}
    assert found.notes == ["no baselines: 'stripes', which was trained on, holds other images by now"]
    with pytest.raises(BadInput, match="holds other images by now; name a 'dataset' to measure on"):
        run_locally(EvaluateImageClassifier(model="model"), home / "gone", other)


def test_the_worst_mistake_is_that_with_the_least_probability_of_the_true_class() -> None:
    logits = np.log(np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2]], np.float32))
    found = worst(logits, np.array([1, 0, 0]), np.array([10, 11, 12]), ("a", "b"))
    assert [(each.row, each.label, each.predicted) for each in found] == [(11, "a", "b"), (10, "b", "a")]
    np.testing.assert_allclose(found[0].probability, 0.9, rtol=1e-5)


def test_large_images_are_reduced_to_means_over_squares() -> None:
    images = np.arange(64 * 2, dtype=np.uint8).reshape(1, 64, 2, 1)
    assert reduced(images).shape == (1, 32, 1, 1)
    assert reduced(images)[0, 0, 0, 0] == round((0 + 1 + 2 + 3) / 4)
    assert reduced(images[:, :32]) is not None
    np.testing.assert_array_equal(reduced(images[:, :32]), images[:, :32])
