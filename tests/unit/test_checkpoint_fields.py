"""What a checkpoint's own files say is obeyed, refused, or without effect: each row of the table is tried."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import ml_dtypes
from safetensors.numpy import load_file, save_file

from jobs.errors import BadInput
from jobs.local import run_locally
from jobs.pretrained.families import FAMILIES, blocks_of
from jobs.pretrained.fields import ALL, FIELDS, FILES_READ, SIZES, Field, config_of
from jobs.pretrained.files import CONFIG, TOKENIZER_CONFIG, WEIGHTS
from jobs.pretrained.models import dropouts, load
from jobs.pretrained.tensors import expected
from jobs.pretrained.tokens import Tokenizer
from jobs.transformer.asked import class_names_of
from jobs.transformer.bulk.engine import Choice, classifying
from jobs.transformer.spec import FineTune
from jobs.transformer.uses import ClassifyTexts

BATCH = (np.array([[2, 8, 9, 10, 3, 0], [2, 11, 3, 0, 0, 0]], np.int32), np.array([5, 3], np.int32))
_SIZES = dict.fromkeys(("vocab_size", "max_position_embeddings", "type_vocab_size"), 12)
_SIZES |= dict.fromkeys(("hidden_size", "dim", "embedding_size"), 8)
_SIZES |= dict.fromkeys(("intermediate_size", "hidden_dim"), 6)
_SIZES |= dict.fromkeys(("num_attention_heads", "n_heads", "num_hidden_layers", "n_layers"), 2)
_SIZES |= {"num_hidden_groups": 1, "inner_group_num": 1}


def config(family: str) -> dict[str, Any]:
    pad = {"pad_token_id": 1} if "roberta" in family else {}
    return {"model_type": family, **{name: _SIZES[name] for name in SIZES[family]}, **pad}


@pytest.fixture(params=ALL)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A classifier of two classes of each family, of random weights."""
    family = request.param
    draws = np.random.default_rng(0)
    shapes = dict(expected(family, config(family)))
    if "roberta" in family:
        shapes["roberta.embeddings.token_type_embeddings.weight"] = (12, 8)
    shapes |= {f"{name}.weight": (8, 8) for name in FAMILIES[family].head}
    shapes |= {f"{name}.bias": (8,) for name in FAMILIES[family].head}
    output = list(FAMILIES[family].head)[-1]
    shapes |= {f"{output}.weight": (2, 8), f"{output}.bias": (2,)}
    tensors = {name: draws.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(tensors, tmp_path / WEIGHTS)
    (tmp_path / CONFIG).write_text(json.dumps(config(family)))
    return tmp_path


def say(folder: Path, file: str = CONFIG, **fields: Any) -> None:
    said = json.loads((folder / file).read_text()) | fields
    (folder / file).write_text(json.dumps(said))


def logits(folder: Path, library: str = "tensorflow") -> np.ndarray[Any, Any]:
    return next(iter(classifying(load(folder, 2), Choice(library, "float32")).run([BATCH])))


def rows(outcome: str, file: str = CONFIG) -> list[tuple[str, Field]]:
    return [
        (family, field)
        for field in FIELDS
        if field.outcome == outcome and field.file == file
        for family in field.families
    ]


@pytest.mark.parametrize(("family", "field"), rows("refused"))
def test_what_is_not_computed_is_refused_by_its_name(family: str, field: Field, tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(json.dumps(config(family)))
    assert config_of(tmp_path)["model_type"] == family
    for value in ("relu", ["relu"], {"a": "b"}, 7, True):
        say(tmp_path, **{field.name: value})
        with pytest.raises(BadInput, match=rf"config.json of .* says {field.name}=.*; allowed is"):
            config_of(tmp_path)


@pytest.mark.parametrize("family", ALL)
def test_a_size_is_a_whole_number_above_0(family: str, tmp_path: Path) -> None:
    for name in SIZES[family]:
        for value in (0, -1, 2.5, "8", None, True, 2**40):
            (tmp_path / CONFIG).write_text(json.dumps(config(family) | {name: value}))
            with pytest.raises(BadInput, match=rf"says {name}=.*; allowed is a whole number above 0"):
                config_of(tmp_path)


def test_sizes_are_those_of_the_tensors(folder: Path) -> None:
    family = config_of(folder)["model_type"]
    unseen = {"num_attention_heads", "n_heads", *(("type_vocab_size",) if "roberta" in family else ())}
    unseen |= {"num_hidden_layers"} if family == "albert" else set()  # the same layer, again and again
    for name in set(SIZES[family]) - unseen:
        say(folder, **(config(family) | {name: _SIZES[name] * 2}))
        with pytest.raises(BadInput, match=r"by config.json it has|which a .* consists of"):
            load(folder, 2)


def test_fields_without_effect_have_none(folder: Path) -> None:
    family = config_of(folder)["model_type"]
    before = logits(folder)
    odd = {field.name: "odd" for fam, field in rows("without effect") if fam == family}
    say(folder, **odd, never_heard_of={"x": 1})
    np.testing.assert_array_equal(logits(folder), before)


@pytest.mark.parametrize("folder", ["bert", "roberta", "albert"], indirect=True)
def test_layer_norm_eps_is_obeyed_by_every_engine(folder: Path) -> None:
    before = logits(folder)
    say(folder, layer_norm_eps=0.3)
    after = logits(folder)
    assert np.abs(after - before).max() > 1e-3
    bfloat16 = next(iter(classifying(load(folder, 2), Choice("tensorflow", "bfloat16")).run([BATCH])))
    np.testing.assert_allclose(bfloat16, after, atol=0.2)
    say(folder, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1)
    as_before = load(folder, 2, as_before=True).classifier.backbone
    assert as_before.embeddings_layer_norm.epsilon == FAMILIES[config_of(folder)["model_type"]].epsilon
    pytest.importorskip("openvino")
    np.testing.assert_allclose(logits(folder, "openvino"), after, atol=1e-4)


def test_dropout_is_obeyed(folder: Path) -> None:
    family = config_of(folder)["model_type"]
    names = {
        "distilbert": ("dropout", "attention_dropout", "seq_classif_dropout"),
        "albert": ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob"),
    }.get(family, ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"))
    say(folder, **dict(zip(names, (0.31, 0.32, 0.33), strict=True)))
    classifier = load(folder, 2).classifier
    assert (classifier.backbone.dropout, classifier.output_dropout.rate) == (0.31, 0.33)
    for block in blocks_of(family, classifier.backbone):
        assert (block.dropout, block._self_attention_layer._dropout) == (0.31, 0.32)
    assert dropouts({"model_type": "bert", "hidden_dropout_prob": 0.4}).head == 0.4


@pytest.mark.parametrize("folder", ["roberta", "xlm-roberta"], indirect=True)
def test_the_segment_of_a_roberta_is_part_of_its_positions(folder: Path) -> None:
    before, tensors = logits(folder), load_file(folder / WEIGHTS)
    tensors["roberta.embeddings.position_embeddings.weight"] += tensors.pop(
        "roberta.embeddings.token_type_embeddings.weight"
    )[0]
    save_file(tensors, folder / WEIGHTS)
    np.testing.assert_allclose(logits(folder), before, atol=1e-5)


def change(folder: Path, tensors: dict[str, Any]) -> None:
    save_file(
        {n: a for n, a in (load_file(folder / WEIGHTS) | tensors).items() if a is not None}, folder / WEIGHTS
    )


def test_tensors_that_are_missing_or_damaged_are_named(folder: Path) -> None:
    before, tensors = logits(folder), load_file(folder / WEIGHTS)
    name = next(name for name in tensors if name.endswith("word_embeddings.weight"))
    change(folder, {"a.further.one": np.zeros(3, np.float32)})
    np.testing.assert_array_equal(logits(folder), before)
    for damaged, text in (
        (None, f"has no tensor '{re.escape(name)}'"),
        (tensors[name][:5], r"has the shape \[5, 8\], and by config.json it has \[12, 8\]"),
        (tensors[name] * np.nan, "not finite"),
    ):
        change(folder, {name: damaged})
        with pytest.raises(BadInput, match=text):
            load(folder, 2)
    (folder / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(BadInput, match=r"model.safetensors of .* cannot be read"):
        load(folder, 2)
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").touch()
    with pytest.raises(BadInput, match=r"has no model.safetensors; save the checkpoint as a single file"):
        load(folder, 2)


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("folder", ["bert"], indirect=True)
def test_weights_of_half_the_precision_are_read(kind: Any, folder: Path) -> None:
    before = logits(folder)
    change(folder, {name: array.astype(kind) for name, array in load_file(folder / WEIGHTS).items()})
    np.testing.assert_allclose(logits(folder), before, atol=0.3)


def test_a_head_has_its_say(folder: Path) -> None:
    family = FAMILIES[config_of(folder)["model_type"]]
    assert class_names_of(folder) == ("LABEL_0", "LABEL_1")
    say(folder, id2label={"0": "no", "1": "yes"}, architectures=[family.architecture], num_labels=2)
    say(folder, problem_type="single_label_classification", label2id={"no": 1, "yes": 0})
    assert class_names_of(folder) == ("no", "yes")
    assert load(folder, 2).has_head
    good = json.loads((folder / CONFIG).read_text())
    for fields, text in (
        (
            {"problem_type": "multi_label_classification"},
            "says problem_type='multi_label_classification', whose",
        ),
        ({"problem_type": "regression"}, "says problem_type='regression', whose outputs"),
        (
            {"architectures": ["BertForTokenClassification"]},
            "BertForTokenClassification.*text is classified by",
        ),
        ({"id2label": {"0": "no", "2": "yes"}}, "a name for each number from 0 to 1"),
        ({"id2label": {"0": "no"}}, "has 2 outputs, and its config.json names 1"),
        ({"id2label": ["no", "yes"]}, "names 0 classes"),
        ({"id2label": {"0": "yes", "1": "yes"}}, "needs a name of its own"),
        ({"id2label": {"0": None, "1": "yes"}}, "needs a name of its own"),
        ({"num_labels": 3}, "is 2 .num_labels 3., and to tell classes apart takes"),
    ):
        (folder / CONFIG).write_text(json.dumps(good | fields))
        with pytest.raises(BadInput, match=text):
            class_names_of(folder)
    (folder / CONFIG).write_text(json.dumps(good | {"problem_type": "multi_label_classification"}))
    assert not load(folder, 2).has_head  # whoever trains begins with one that is drawn


def test_a_head_with_one_output_is_a_number_and_no_class(folder: Path) -> None:
    output = list(FAMILIES[config_of(folder)["model_type"]].head)[-1]
    change(
        folder, {f"{output}.weight": np.zeros((1, 8), np.float32), f"{output}.bias": np.zeros(1, np.float32)}
    )
    with pytest.raises(BadInput, match=r"outputs of .* is 1 .*fine-tune it first with transformer.finetune"):
        class_names_of(folder)


def test_the_end_of_a_text_is_kept_where_the_tokenizer_says_so(checkpoint: Path) -> None:
    text = "a b c d e f g"
    right = Tokenizer(checkpoint, 5).flat([text])[0].tolist()
    say(checkpoint, TOKENIZER_CONFIG, truncation_side="left")
    left = Tokenizer(checkpoint, 5).flat([text])[0].tolist()
    assert (right[0], right[-1]) == (left[0], left[-1])  # [CLS] and [SEP] stay where they are
    assert [after - before for before, after in zip(right[1:-1], left[1:-1], strict=True)] == [4, 4, 4]
    assert Tokenizer(checkpoint, 5, as_before=True).flat([text])[0].tolist() == right
    end = "x" * 400 + " g"
    assert Tokenizer(checkpoint, 5).flat([end])[0].tolist()[-2:] == left[-2:]
    tokenizer = json.loads((checkpoint / "tokenizer.json").read_text())
    assert tokenizer["truncation"] is None


def test_fields_of_a_tokenizer_without_effect_have_none(checkpoint: Path) -> None:
    texts = ["a b c", "d"]
    before = Tokenizer(checkpoint, 16).flat(texts)
    say(checkpoint, TOKENIZER_CONFIG, padding_side="left", model_max_length=4, chat_template="{{ x }}")
    tokenizer = json.loads((checkpoint / "tokenizer.json").read_text())
    tokenizer["truncation"] = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    tokenizer["padding"] = {
        "strategy": {"Fixed": 9},
        "direction": "Left",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    (checkpoint / "tokenizer.json").write_text(json.dumps(tokenizer))
    for found, wanted in zip(Tokenizer(checkpoint, 16).flat(texts), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_the_code_of_a_tokenizer_is_refused_and_its_settings_are_obeyed(checkpoint: Path) -> None:
    (before,) = (Tokenizer(checkpoint, 16).flat(["ABC"])[0].tolist(),)
    tokenizer = json.loads((checkpoint / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    (checkpoint / "tokenizer.json").write_text(json.dumps(tokenizer))
    say(checkpoint, TOKENIZER_CONFIG, do_lower_case=False)
    assert Tokenizer(checkpoint, 16).flat(["ABC"])[0].tolist() != before
    say(checkpoint, TOKENIZER_CONFIG, auto_map={"AutoTokenizer": ["evil.Tokenizer", None]})
    with pytest.raises(
        BadInput, match=r"tokenizer_config.json of .* says auto_map=.*no code of a checkpoint"
    ):
        Tokenizer(checkpoint, 16)


def test_a_tokenizer_of_another_model_is_found_out(checkpoint: Path) -> None:
    say(checkpoint, vocab_size=20)
    with pytest.raises(BadInput, match=r"gave a text the token \d+, and its model has 0 to 19"):
        Tokenizer(checkpoint, 16).flat(["zzz"])


def test_an_export_carries_on_what_is_so_and_nothing_else(checkpoint: Path, tmp_path: Path) -> None:
    say(checkpoint, TOKENIZER_CONFIG, truncation_side="left")
    say(checkpoint, problem_type="multi_label_classification", num_labels=9, torch_dtype="float16")
    say(
        checkpoint,
        _name_or_path="lab/other",
        layer_norm_eps=1e-3,
        id2label={"0": "x"},
        custom_pipelines={"a": 1},
    )
    spec = FineTune(
        pretrained=str(checkpoint),
        texts=("a b c d", "e f g h") * 8,
        labels=("a", "b") * 8,
        epochs=1,
        batch_size=8,
        max_length=4,
        validation=0,
        test=0,
    )
    run_locally(spec, tmp_path / "job")
    left = tmp_path / "job/artifacts/model"
    said = json.loads((left / CONFIG).read_text())
    assert said["problem_type"] == "single_label_classification"
    assert said["id2label"] == {"0": "a", "1": "b"}
    assert (said["dtype"], said["layer_norm_eps"]) == ("float32", 1e-3)
    assert not {"num_labels", "torch_dtype", "_name_or_path", "custom_pipelines"} & set(said)
    assert not (tmp_path / "job/artifacts/classifier.keras").exists()  # it would compute with another epsilon
    assert Tokenizer(left, 4).side == "left"
    asked = run_locally(ClassifyTexts(model="job", texts=("x y a b c",), max_length=4), tmp_path / "asked")
    assert asked.predictions[0] in ("a", "b")


def test_the_readme_has_every_row() -> None:
    page = Path("jobs/transformer/README.md").read_text()
    for field in FIELDS:
        assert f"`{field.name}`" in page, field.name
    for name in ", ".join(FILES_READ).split(", "):
        assert f"`{name}`" in page, name
