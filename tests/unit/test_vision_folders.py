"""Vision Transformers in Hugging Face folders, against KerasHub's own reading of the same files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("keras_hub")

import tensorflow as tf
from safetensors.numpy import load_file, save_file

from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput, InvalidSpec
from jobs.local import run_locally
from jobs.transformer.vision.folders.positions import SHARPNESS, interpolated
from jobs.transformer.vision.folders.reading import read_folder
from jobs.transformer.vision.folders.tensors import old_name
from jobs.transformer.vision.folders.writing import can_write, write_folder
from jobs.transformer.vision.networks.network import Network
from jobs.transformer.vision.networks.plan import Plan
from jobs.transformer.vision.spec import ClassifyImages, EvaluateImageClassifier, TrainImageClassifier

Array = np.ndarray[Any, Any]
NAMES = ("cat", "dog", "owl")


def network(**fields: Any) -> Network:
    """One with random weights, none of which is 0 or 1."""
    about = {"width": 8, "depth": 2, "heads": 2, "inner": 12, "patch": 4, "mean": (0.4, 0.5, 0.6), **fields}
    found = Network(Plan("vit", (8, 8, 3), NAMES, **about))
    random = np.random.default_rng(1)
    for each in found.weights:
        each.assign(each.numpy() + random.normal(0, 0.2, each.shape))
    return found


def images(count: int = 5, height: int = 8, width: int = 8) -> Array:
    return np.random.default_rng(0).random((count, height, width, 3)).astype(np.float32)


@pytest.mark.parametrize("family", ["vit", "deit"])
def test_keras_hub_makes_the_same_of_a_folder_that_was_written(family: str, tmp_path: Path) -> None:
    import keras_hub

    mine = network(special=2 if family == "deit" else 1)
    write_folder(mine, tmp_path)
    backbone = {"vit": keras_hub.models.ViTBackbone, "deit": keras_hub.models.DeiTBackbone}[family]
    theirs = backbone.from_preset(str(tmp_path))
    hidden = theirs.predict(mine.standardised(tf.constant(images())), verbose=0)
    hidden = hidden[:, 0] @ mine.head.kernel.numpy() + mine.head.bias.numpy()
    np.testing.assert_allclose(mine.logits(tf.constant(images())), hidden, atol=1e-4)


def swin(**fields: Any) -> Network:
    """One whose first stage has shifted windows, with random weights."""
    about = {
        "width": 16,
        "inner": 32,
        "patch": 2,
        "depths": (2, 1),
        "stage_heads": (2, 4),
        "window": 2,
        "epsilon": 1e-5,
        **fields,
    }
    found = Network(Plan("swin", (12, 12, 3), NAMES, **about))
    random = np.random.default_rng(1)
    for each in found.weights:
        each.assign(each.numpy() + random.normal(0, 0.2, each.shape))
    return found


@pytest.mark.filterwarnings("ignore")  # KerasHub's own
def test_keras_hub_makes_the_same_of_a_swin(tmp_path: Path) -> None:
    import keras_hub

    mine = swin()
    write_folder(mine, tmp_path)
    theirs = keras_hub.models.SwinTransformerBackbone.from_preset(str(tmp_path))
    given = images(3, 12, 12)
    found = theirs.predict(mine.standardised(tf.constant(given)), verbose=0)
    pooled = found.reshape(3, -1, 16).mean(axis=1)
    features = mine.encoder.features(mine.standardised(tf.constant(given)), tf.float32, False)
    np.testing.assert_allclose(features, pooled, atol=1e-4)
    read = read_folder(tmp_path, (12, 12))
    np.testing.assert_allclose(read.logits(tf.constant(given)), mine.logits(tf.constant(given)), atol=1e-5)
    tensors = load_file(tmp_path / "model.safetensors")
    new = {
        name.replace("attention.self.query", "attention.q_proj")
        .replace("attention.self.key", "attention.k_proj")
        .replace("attention.self.value", "attention.v_proj")
        .replace("attention.self.rel", "attention.relative_position_bias.rel")
        .replace("attention.output.dense", "attention.o_proj")
        .replace("intermediate.dense", "mlp.fc1")
        .replace("output.dense", "mlp.fc2"): each
        for name, each in tensors.items()
    }
    assert len(new.keys() - tensors.keys()) == 3 * 13
    save_file(new, tmp_path / "model.safetensors")
    again = read_folder(tmp_path, (12, 12))
    np.testing.assert_allclose(again.logits(tf.constant(given)), mine.logits(tf.constant(given)), atol=1e-5)
    assert len(mine.groups()) == 6  # tokens, three blocks, what reads the last one, the head
    with pytest.raises(BadInput, match=r"images of 4 x 12 pixels are too small .* with --size 5x5,"):
        read_folder(tmp_path, (4, 12))


@pytest.mark.parametrize(("special", "reads"), [(1, 1), (2, 1), (2, 2)])
def test_a_folder_comes_back_as_the_network_that_it_is_of(special: int, reads: int, tmp_path: Path) -> None:
    mine = network(special=special, reads=reads, epsilon=1e-5)
    write_folder(mine, tmp_path)
    read = read_folder(tmp_path, (8, 8))
    assert read.plan.class_names == NAMES
    assert json.loads((tmp_path / "config.json").read_text())["id2label"] == dict(
        zip("012", NAMES, strict=True)
    )
    np.testing.assert_allclose(
        read.logits(tf.constant(images())), mine.logits(tf.constant(images())), atol=1e-5
    )
    again = read_folder(tmp_path, (8, 8), ("left", "right"), seed=3)  # a new head on the same encoder
    assert again.head.bias.shape == (2,)
    np.testing.assert_array_equal(again.encoder.first, read.encoder.first)


def test_names_of_version_5_are_those_of_version_4(tmp_path: Path) -> None:
    mine = network()
    write_folder(mine, tmp_path)
    renamed = {}
    for name, array in load_file(tmp_path / "model.safetensors").items():
        new = name.replace("encoder.layer.", "layers.")
        for old, module in (
            *(
                (f"attention.attention.{part}", f"attention.{part[0]}_proj")
                for part in ("query", "key", "value")
            ),
            *(("attention.output.dense", "attention.o_proj"), ("intermediate.dense", "mlp.fc1")),
            ("output.dense", "mlp.fc2"),
        ):
            new = new.replace(old, module)
        assert old_name(new) == old_name(name)
        renamed[new] = array
    assert "vit.layers.1.attention.q_proj.weight" in renamed
    assert "vit.layers.1.mlp.fc2.weight" in renamed
    save_file(renamed, tmp_path / "model.safetensors")
    found = read_folder(tmp_path, (8, 8)).logits(tf.constant(images()))
    np.testing.assert_allclose(found, mine.logits(tf.constant(images())), atol=1e-6)


def test_positions_are_interpolated_by_cubic_convolution() -> None:
    def cubic(x: float) -> float:
        x, a = abs(x), SHARPNESS
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0

    grid = np.random.default_rng(0).random((3, 4, 2)).astype(np.float32)
    found = interpolated(grid.reshape(12, 2), (3, 4), (5, 6)).reshape(5, 6, 2)
    for y in range(5):
        for x in range(6):
            at = ((y + 0.5) * 3 / 5 - 0.5, (x + 0.5) * 4 / 6 - 0.5)
            wanted = np.zeros(2)
            for row in range(-3, 7):
                for column in range(-3, 8):
                    weight = cubic(at[0] - row) * cubic(at[1] - column)
                    wanted += weight * grid[np.clip(row, 0, 2), np.clip(column, 0, 3)]
            np.testing.assert_allclose(found[y, x], wanted, atol=1e-6)
    flat = np.full((4, 3), 0.5, np.float32)
    np.testing.assert_allclose(interpolated(flat, (2, 2), (7, 3)), 0.5, atol=1e-6)


def test_a_checkpoint_is_trained_on_other_classes_and_classifies_images_of_another_size(
    tmp_path: Path,
) -> None:
    write_folder(network(), tmp_path / "checkpoint")
    pixels = np.rint(images(24, 12, 12) * 255).astype(np.uint8)
    ImageSet(pixels[..., :1], np.arange(24) % 2, ("left", "right")).write(tmp_path / "grey.npz")
    data = {"grey": tmp_path / "grey.npz", "mine": tmp_path / "checkpoint"}
    spec = TrainImageClassifier(
        dataset="grey", pretrained="mine", epochs=1, batch_size=8, precision="float32", operations=0
    )
    found = run_locally(spec, tmp_path / "trained", data)
    assert (found.network, found.class_names) == ("vit", ["left", "right"])
    left = read_folder(tmp_path / "trained/artifacts/model", (12, 12))
    kept, _ = Network.read(tmp_path / "trained/artifacts/model.safetensors", "it")
    np.testing.assert_allclose(
        left.logits(tf.constant(images(5, 12, 12))), kept.logits(tf.constant(images(5, 12, 12))), atol=1e-5
    )
    classify = ClassifyImages(dataset="grey", pretrained="mine", precision="float32")
    found_classes = run_locally(classify, tmp_path / "classified", data)
    assert set(found_classes.labels) == set(NAMES)
    with pytest.raises(BadInput, match="labels that the model has no class for: 'left'"):
        run_locally(
            EvaluateImageClassifier(dataset="grey", pretrained="mine", precision="float32"),
            tmp_path / "evaluated",
            data,
        )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"model_type": "bert"},
            "is a checkpoint of the type 'bert'; images are looked at with vit, deit, swin",
        ),
        ({"hidden_act": "relu"}, "hidden_act in config.json of .* is 'relu'; computed is 'gelu'"),
        ({"hidden_size": None}, "hidden_size in config.json of .* is None, and should be a whole number"),
        ({"patch_size": [4, 8]}, r"patch_size in config.json of .* is \(4, 8\); computed are squares"),
        ({"image_size": 16}, r"has 5 positions, and its config.json says otherwise: 1 \+ 4 x 4"),
        ({"id2label": {"0": "a", "2": "b"}}, "id2label in config.json of .* has gaps"),
        ({"num_hidden_layers": 3}, "has no tensor 'encoder.layer.2.attention.attention.query.weight'"),
        ({"intermediate_size": 13}, "do not fit its config.json"),
    ],
)
def test_a_folder_that_is_not_computed_here_is_refused(
    fields: dict[str, Any], text: str, tmp_path: Path
) -> None:
    write_folder(network(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | fields
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match=text):
        read_folder(tmp_path, (8, 8))


def test_a_folder_without_a_head_can_only_be_trained(tmp_path: Path) -> None:
    write_folder(network(), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file(
        {name: each for name, each in tensors.items() if "classifier" not in name},
        tmp_path / "model.safetensors",
    )
    with pytest.raises(BadInput, match="has no head that tells classes apart; give one of ViTForImage"):
        read_folder(tmp_path, (8, 8))
    assert read_folder(tmp_path, (8, 8), ("a", "b")).plan.class_names == ("a", "b")


def test_only_plain_transformers_of_whole_patches_have_a_folder() -> None:
    assert can_write(network().plan)
    assert not can_write(Plan("vit", (9, 8, 3), NAMES, 8, patch=4))
    assert not can_write(Plan("cct", (8, 8, 3), NAMES, 8))


@pytest.mark.parametrize(
    ("spec", "fields", "text"),
    [
        (
            TrainImageClassifier,
            {"pretrained": "a", "start": "b"},
            "one of the fields 'pretrained' and 'start'",
        ),
        (TrainImageClassifier, {"pretrained": "a", "network": "vit"}, "'pretrained' and 'network'"),
        (ClassifyImages, {"dataset": "a"}, "one of the fields 'model' and 'pretrained', received neither"),
        (EvaluateImageClassifier, {"pretrained": "a"}, "'dataset' is required with 'pretrained'"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(spec: Any, fields: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidSpec, match=text):
        spec.model_validate(fields)
