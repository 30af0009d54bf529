"""Heads for masked words, in from Hugging Face's names and out again."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf
from safetensors.numpy import load_file, save_file

from jobs.errors import BadInput
from jobs.pretrained import masked
from jobs.pretrained.built import tiny
from jobs.pretrained.masked import NAMES, MaskedHead
from jobs.pretrained.tensors import expected
from jobs.selfsupervised.text.preparing import read
from jobs.selfsupervised.text.resizing import with_new_words

VOCABULARY = 40
_BERTS = {
    "vocab_size": VOCABULARY,
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "max_position_embeddings": 20,
    "type_vocab_size": 2,
}
CONFIGS = {
    "bert": _BERTS,
    "roberta": _BERTS | {"type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5},
    "xlm-roberta": _BERTS | {"type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5},
    "albert": _BERTS | {"embedding_size": 6, "num_hidden_groups": 1, "inner_group_num": 1},
    "distilbert": {
        "vocab_size": VOCABULARY,
        "dim": 8,
        "hidden_dim": 12,
        "n_heads": 2,
        "n_layers": 2,
        "max_position_embeddings": 20,
    },
}


def written(folder: Path, family: str) -> dict[str, np.ndarray]:
    """A folder as `AutoModelForMaskedLM.save_pretrained` leaves one: no pooler, the table once."""
    folder.mkdir()
    config = {"model_type": family, **CONFIGS[family]}
    (folder / "config.json").write_text(json.dumps(config))
    rng = np.random.default_rng(4)
    shapes = {name: shape for name, shape in expected(family, config) if "pooler" not in name}
    names, width = NAMES[family], config.get("embedding_size", 8)
    shapes |= {f"{names.dense}.weight": (width, 8), f"{names.dense}.bias": (width,)}
    shapes |= {f"{names.norm}.weight": (width,), f"{names.norm}.bias": (width,), names.bias: (VOCABULARY,)}
    arrays = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    if family in ("roberta", "xlm-roberta"):  # what has no place in KerasHub's models
        for name, array in arrays.items():
            if "position" in name:
                array[:2] = 0
        arrays["roberta.embeddings.token_type_embeddings.weight"] = np.zeros((1, 8), np.float32)
    save_file(arrays, folder / "model.safetensors", {"format": "pt"})
    return arrays


@pytest.mark.parametrize("family", CONFIGS)
def test_a_head_comes_in_and_goes_out_under_the_names_of_the_library_transformers(family, tmp_path):
    arrays = written(tmp_path / "in", family)
    found = masked.load(tmp_path / "in", seed=0)
    assert found.has_head
    masked.export(found, tmp_path / "in", tmp_path / "out", "card")
    again = load_file(tmp_path / "out/model.safetensors")
    assert {name for name in again if "pooler" not in name} == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array, err_msg=name)
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert config["architectures"] == [NAMES[family].architecture]
    assert "id2label" not in config
    assert masked.load(tmp_path / "out", seed=1).has_head


def test_a_checkpoint_without_a_head_gets_one_that_follows_from_the_seed(tmp_path):
    written(tmp_path / "in", "bert")
    arrays = load_file(tmp_path / "in/model.safetensors")
    del arrays["cls.predictions.bias"]
    save_file(arrays, tmp_path / "in/model.safetensors", {"format": "pt"})
    first, again, other = (masked.load(tmp_path / "in", seed) for seed in (1, 1, 2))
    assert not first.has_head
    kernels = [np.asarray(each.head.dense.kernel) for each in (first, again, other)]
    assert np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


def test_an_output_matrix_of_its_own_is_refused(tmp_path):
    written(tmp_path / "in", "bert")
    config = json.loads((tmp_path / "in/config.json").read_text())
    (tmp_path / "in/config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    with pytest.raises(BadInput, match="tie_word_embeddings=false"):
        masked.load(tmp_path / "in", seed=0)


@pytest.mark.parametrize("exact", [True, False])
def test_the_logits_of_a_head_are_those_of_its_layers_written_out(exact):
    head = MaskedHead(5, 3, 7, 1e-5, exact, 0)
    rng = np.random.default_rng(5)
    for variable in head.variables:
        variable.assign(rng.standard_normal(variable.shape))
    states, table = rng.standard_normal((4, 5)), rng.standard_normal((7, 3))
    kernel, bias, gamma, beta, offset = (
        np.asarray(each, np.float64)
        for each in (head.dense.kernel, head.dense.bias, head.norm.gamma, head.norm.beta, head.bias)
    )
    inner = states @ kernel + bias
    if exact:
        inner *= 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
    else:
        inner *= 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)))
    normed = (inner - inner.mean(1, keepdims=True)) / np.sqrt(inner.var(1, keepdims=True) + 1e-5)
    wanted = (normed * gamma + beta) @ table.T + offset
    found = head.logits(tf.constant(states, tf.float32), tf.constant(table, tf.float32))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_new_words_get_rows_and_the_old_ones_stay(tmp_path):
    (tmp_path / "tiny").mkdir()
    tiny.write(tmp_path / "tiny")
    found = masked.load(tmp_path / "tiny", seed=1)
    masked.export(found, tmp_path / "tiny", tmp_path / "in", "card")
    size = len(tiny.VOCABULARY)
    folder = with_new_words(
        tmp_path / "in", ("perplexity", "corpus", "a", "corpus"), tmp_path / "out", seed=3
    )
    before, after = (masked.load(each, seed=0) for each in (tmp_path / "in", folder))
    assert after.has_head
    assert after.table.shape == (size + 2, tiny.HIDDEN)
    np.testing.assert_array_equal(np.asarray(after.table)[:size], np.asarray(before.table))
    np.testing.assert_array_equal(np.asarray(after.head.bias)[:size], np.asarray(before.head.bias))
    reading = read(folder, 16)
    assert reading.tokenizer.encode(["a corpus"]) == [[tiny.VOCABULARY.index("a"), size + 1]]
    again = with_new_words(tmp_path / "in", ("perplexity", "corpus"), tmp_path / "again", seed=3)
    assert (again / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert with_new_words(tmp_path / "in", ("a",), tmp_path / "none", 0).is_dir()
