import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from jobs import ClassifyTexts, FineTune
from jobs.errors import BadInput, InvalidSpec, Stopped
from jobs.local import LocalContext, run_locally
from jobs.pretrained.models import load
from jobs.pretrained.tokens import Tokenizer
from jobs.transformer.finetuning import FineTuning, class_weights
from jobs.transformer.spec import SMALLEST
from jobs.transformer.tuning.tuner import freeze

BASE = {
    "pretrained": "tiny",
    # Of one width once they are padded: XLA compiles once for each.
    "texts": tuple(f"{'good' if n % 2 else 'bad'} {n % 7}" for n in range(40)),
    "labels": tuple("yes" if n % 2 else "no" for n in range(40)),
    "epochs": 2,
    "batch_size": 8,
    "max_length": 16,
    "learning_rate": 1e-3,
    "validation": 0.2,
    "seed": 1,
    "precision": "float32",
}


def spec_of(**fields):
    return FineTune.model_validate(BASE | fields)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished fine-tuning: its result and its folder."""
    folder = tmp_path_factory.mktemp("jobs") / "trained"
    return run_locally(spec_of(epochs=12, learning_rate=3e-3), folder), folder


def test_it_learns_and_says_how_well(trained):
    result, _ = trained
    assert result.class_names == ["no", "yes"]
    assert result.rows == {"train": 28, "validation": 8, "test": 4}
    assert result.validation.loss < math.log(2)
    assert result.validation.accuracy > 0.7
    assert result.test.rows == 4
    assert result.best_epoch is not None
    assert result.steps == 12 * 4  # 28 rows in steps of 8


def test_it_leaves_a_checkpoint_figures_and_pictures(trained):
    result, folder = trained
    left = {str(path.relative_to(folder / "artifacts")) for path in (folder / "artifacts").rglob("*.*")}
    assert left == {
        "accuracy.png",
        "calibration.png",
        "classifier.keras",
        "confusion.png",
        "losses.png",
        "metrics.json",
        "model/README.md",
        "model/config.json",
        "model/model.safetensors",
        "model/tokenizer.json",
        "model/tokenizer_config.json",
    }
    config = json.loads((folder / "artifacts/model/config.json").read_text())
    assert config["id2label"] == {"0": "no", "1": "yes"}
    assert json.loads((folder / "artifacts/metrics.json").read_text()) == result.model_dump(mode="json")
    card = (folder / "artifacts/model/README.md").read_text()
    assert "| accuracy |" in card
    assert '"learning_rate": 0.003' in card
    assert len(list((folder / "samples").glob("*.png"))) == 12


def test_the_weights_that_are_left_are_those_of_the_best_epoch(trained, tmp_path):
    result, folder = trained
    spec = spec_of(epochs=12, learning_rate=3e-3, model="trained", pretrained=None, frozen_layers=2)
    again = run_locally(
        spec.model_copy(update={"epochs": 1, "learning_rate": 1e-12}), folder.parent / "again"
    )
    # The same rows judge both, as the seed is the same.
    assert again.validation.loss == pytest.approx(result.validation.loss, rel=1e-5)


def test_two_sentences_are_enough(tmp_path):
    fields = {"texts": ("I love programming.", "I hate bugs."), "labels": ("love", "hate"), "epochs": 3}
    result = run_locally(spec_of(**fields), tmp_path / "job")
    assert result.rows == {"train": 2, "validation": 0, "test": 0}
    assert result.validation is None
    assert result.test is None
    assert result.best_epoch is None


def test_a_training_that_gets_no_better_ends(tmp_path):
    fields = {"epochs": 30, "patience": 2, "learning_rate": 1e-9, "metric": "accuracy"}
    result = run_locally(spec_of(**fields), tmp_path / "job")
    assert result.epochs == 3
    assert result.steps == 12
    assert result.best_epoch == 1


def test_a_training_that_was_stopped_ends_the_same(tmp_path, context_that_stops):
    spec = spec_of(checkpoint_seconds=0)
    whole = run_locally(spec, tmp_path / "whole")
    with pytest.raises(Stopped):
        run_locally(spec, tmp_path / "stopped", context=context_that_stops(4))
    assert run_locally(spec, tmp_path / "stopped").state_sha256 == whole.state_sha256


def test_texts_may_fill_all_places_that_a_model_has(checkpoint, tmp_path):
    places = 13  # no multiple of what widths of batches are rounded up to
    tensors = load_file(checkpoint / "model.safetensors")
    name = "embeddings.position_embeddings.weight"
    tensors[name] = tensors[name][:places].copy()
    save_file(tensors, checkpoint / "model.safetensors", {"format": "pt"})
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**config, "max_position_embeddings": places}))
    spec = spec_of(pretrained=str(checkpoint), max_length=places, texts=tuple(f"{n:010}" for n in range(40)))
    assert run_locally(spec, tmp_path / "job").steps == 8
    texts = ("a long text that fills every place there is", "a")
    for engine in ("tensorflow", "openvino"):
        asked = ClassifyTexts(model="job", texts=texts, max_length=places, engine=engine)
        assert run_locally(asked, tmp_path / engine).rows == 2


def test_frozen_layers_stay_as_they_are(checkpoint, tmp_path):
    spec = spec_of(pretrained=str(checkpoint), frozen_layers=1)
    run_locally(spec, tmp_path / "job")
    before = load_file(checkpoint / "model.safetensors")
    after = load_file(tmp_path / "job/artifacts/model/model.safetensors")
    for name, tensor in before.items():
        frozen = name.startswith(("embeddings.", "encoder.layer.0."))
        assert np.array_equal(after[f"bert.{name}"], tensor) == frozen, name


def test_more_frozen_layers_than_there_are_are_refused(checkpoint):
    loaded = load(checkpoint, 2)
    with pytest.raises(BadInput, match=r"frozen_layers is 3, and the encoder has 2; freeze these at most"):
        freeze(loaded.family, loaded.classifier.backbone, 3)


def _model(checkpoint, spec, weights=(1.0, 1.0), steps=10):
    tokens = np.arange(5, 5 + 4 * 6, dtype=np.int32)
    model = FineTuning(spec, load(checkpoint, 2, 0), tokens, 0, np.array(weights, np.float32), steps)
    model.compile(jit_compile=False)
    return model


def _batch():
    return {
        "starts": keras.ops.convert_to_tensor(np.arange(0, 24, 6), "int32"),
        "lengths": keras.ops.convert_to_tensor([3, 6, 5, 2], "int32"),
        "labels": keras.ops.convert_to_tensor([0, 1, 1, 1], "int32"),
    }


def test_the_loss_is_the_weighted_mean_of_the_cross_entropies(checkpoint):
    model = _model(checkpoint, spec_of(), weights=(3.0, 1.0))
    starts, lengths = np.arange(0, 24, 6, dtype=np.int32), np.array([3, 6, 5, 2], np.int32)
    logits = model.predicted(starts, lengths, 4).astype(np.float64)
    entropies = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(4), [0, 1, 1, 1]]
    expected = (np.array([3, 1, 1, 1]) * entropies).sum() / 4

    model.logits = lambda starts, lengths, seed: FineTuning.logits(model, starts, lengths, None)  # no dropout
    found = model.one_step(_batch(), keras.ops.convert_to_tensor(0, "int64"))
    assert float(found["loss"]) == pytest.approx(expected, rel=1e-4)


def test_a_batch_in_parts_comes_to_the_same_gradients(checkpoint):
    found = {}
    for accumulate in (1, 4):
        model = _model(checkpoint, spec_of(accumulate=accumulate), weights=(3.0, 1.0))
        model.logits = lambda starts, lengths, seed, model=model: FineTuning.logits(
            model, starts, lengths, None
        )
        model.adamw.update = lambda gradients, share, n=accumulate: found.setdefault(n, gradients)
        model.one_step(_batch(), keras.ops.convert_to_tensor(0, "int64"))
    for whole, quarters in zip(found[1], found[4], strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(quarters), tf.convert_to_tensor(whole), atol=1e-6)


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_the_learning_rate_rises_and_falls_as_asked(checkpoint, schedule):
    model = _model(checkpoint, spec_of(schedule=schedule, warmup=0.3), steps=10)
    found = [float(model.share(keras.ops.convert_to_tensor(step, "int64"))) for step in range(10)]
    left = [(10 - step) / 7 for step in range(3, 10)]
    falling = {
        "linear": left,
        "cosine": [0.5 * (1 + math.cos(math.pi * (1 - share))) for share in left],
        "constant": [1.0] * 7,
    }[schedule]
    np.testing.assert_allclose(found, [1 / 3, 2 / 3, 1.0, *falling], rtol=1e-5)


def test_rare_classes_weigh_more_if_asked():
    labels = np.array([0, 0, 0, 1], np.int32)
    np.testing.assert_allclose(class_weights("balanced", labels, 2), [4 / 6, 2])
    np.testing.assert_allclose(class_weights("none", labels, 2), [1, 1])


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"labels": ("a",) * 40}, r"all 40 rows of 'texts' are of the class 'a'"),
        ({"max_length": 4096}, r"max_length is 4096, and .* reads 128 tokens at most"),
        ({"rows": 41}, r"rows is 41, and there are 40"),
        ({"validation": 30, "test": 10}, r"validation=30 and test=10 leave none of 40 rows"),
        (
            {"pretrained": "./nothing-here"},
            r"'./nothing-here' holds no checkpoint: config.json and model.saf",
        ),
        ({"pretrained": "no-such-upload"}, r"there is no upload 'no-such-upload' here"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_that_names_the_fix(fields, text, tmp_path):
    with pytest.raises(BadInput, match=text):
        run_locally(spec_of(**fields), tmp_path / "job")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"labels": ("a",)}, r"one label for each of the 40 texts, received 1"),
        ({"dataset": "tweets"}, r"give one of the fields 'texts' and 'dataset', received both"),
        ({"model": "job"}, r"give one of the fields 'pretrained' and 'model', received both"),
        ({"accumulate": 3}, r"'accumulate' should divide the batch size, 8, received 3"),
        (
            {"validation": 1.5},
            r"'validation' should be a share below 1 or a whole number of rows, received 1.5",
        ),
        ({"pretrained": "A name"}, r"'pretrained' should be an upload's name"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(fields, text):
    with pytest.raises(InvalidSpec, match=text):
        spec_of(**fields)


def test_a_file_of_ones_own_is_read_by_its_columns(tmp_path):
    path = tmp_path / "own.csv"
    rows = zip(BASE["texts"], BASE["labels"], strict=True)
    path.write_text("note,class\n" + "".join(f"{text},{label}\n" for text, label in rows))
    spec = spec_of(texts=(), labels=(), dataset="own", text_column="note", label_column="class", epochs=1)
    result = run_locally(spec, tmp_path / "job", {"own": path})
    assert result.rows["train"] == 28

    with pytest.raises(BadInput, match=r"'kind'"):
        run_locally(spec.model_copy(update={"label_column": "kind"}), tmp_path / "other", {"own": path})


def test_tokens_are_made_once_for_all_jobs(checkpoint, tmp_path, monkeypatch):
    found = []
    for name in ("one", "two"):
        with LocalContext(tmp_path / name) as context:
            found.append(Tokenizer(checkpoint, 16).cached(BASE["texts"], "a-digest", context))
        monkeypatch.setattr(Tokenizer, "flat", lambda *_: pytest.fail("tokenised again"))
    for first, again in zip(*found, strict=True):
        np.testing.assert_array_equal(first, again)


def test_specs_of_the_catalogue_need_no_network_and_no_package():
    assert {(spec.pretrained, spec.dataset) for spec in SMALLEST} == {("tiny", None)}
