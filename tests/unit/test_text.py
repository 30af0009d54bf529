"""Encoders that learn to fill in masked words: train, fill, evaluate."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from jobs import EmbedTexts, EvaluateText, FillText, TrainText
from jobs.errors import BadInput, InvalidSpec
from jobs.local import run_locally
from jobs.selfsupervised.text.scoring import warning_of
from jobs.selfsupervised.text.spec import MaskedScores

FIELDS = {
    "dataset": "verses",
    "vocabulary": "characters",
    "layers": 1,
    "hidden": 32,
    "heads": 4,
    "max_length": 32,
    "batch_size": 16,
    "optimizer": "muon",
    "learning_rate": 0.01,
    "precision": "float32",
    "dropout": 0.0,
}


def verses() -> str:
    """Of a middle letter both neighbours tell which it is: `aba`, `cdc`."""
    drawn = np.random.default_rng(0).integers(0, 4, 6000)
    return "".join("aba cdc efe ghg "[4 * n : 4 * n + 4] for n in drawn)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "verses.txt").write_text(verses())
    spec = TrainText(**FIELDS, epochs=8, sentences=("aba c[MASK]c efe", "so long" * 20 + "[MASK]"))
    run_locally(spec, home / "trained", {"verses": home / "verses.txt"})
    return home


def test_a_training_learns_what_is_around_a_hidden_character(home):
    result = json.loads((home / "trained/result.json").read_text())
    scores = result["held_out"]
    assert scores["perplexity"] < 0.5 * scores["unigram"]
    assert scores["accuracy"] > 0.45
    assert 1 < scores["five_gram"] < scores["unigram"] < result["vocabulary"]
    assert result["documents"] == {"train": 1, "held_out": 1}
    assert result["tokens"]["train"] == 21_601
    assert result["tokens"]["cut"] == 21_601 % 30
    assert result["tokens"]["unknown"] == 0
    assert any("the last 2400 of 24000 bytes" in note for note in result["notes"])
    names = {path.name for path in (home / "trained/artifacts").iterdir()}
    assert names == {"losses.png", "metrics.json", "model", "sentences.png"}
    assert len(list((home / "trained/samples").iterdir())) == 8


def test_an_evaluation_says_what_the_training_said(home):
    data = {"verses": home / "verses.txt"}
    found = run_locally(EvaluateText(model="trained", precision="float32"), home / "evaluated", data)
    trained = json.loads((home / "trained/result.json").read_text())
    assert found.scores.model_dump() == pytest.approx(trained["held_out"])


def test_masks_are_filled_with_the_most_probable_words(home):
    texts = ("aba c[MASK]c efe", "g[MASK]g e[MASK]e", "no mask", "", "[MASK]" * 20, "aba " * 20 + "[MASK]")
    spec = FillText(model="trained", texts=texts, output="csv", top=3, precision="float32")
    found = run_locally(spec, home / "filled")
    first = (home / "filled/artifacts/filled.csv").read_text().splitlines()[1]
    best = first.partition('[[[""')[2][0]
    assert first.startswith(f'0,"aba c[MASK]c efe","aba c{best}c efe","[[[""{best}"", 0.')
    assert found.filled[0] == f"aba c{best}c efe"
    assert found.filled[2:4] == ["no mask", None]
    assert "[MASK]" not in str(found.filled[1])
    assert (found.rows, found.unfilled, found.unmasked) == (6, 1, 2)
    assert found.remarks == {"cut": 1, "empty": 1, "more masks": 1}
    assert found.filled[4].count("[MASK]") == 4


def test_texts_without_any_mask_are_refused(home):
    with pytest.raises(BadInput, match=r"none of the 2 texts has a \[MASK\]"):
        run_locally(FillText(model="trained", texts=("aba", "")), home / "none")


def test_a_checkpoint_without_a_head_fills_nothing(home):
    with pytest.raises(BadInput, match="has no head for masked words"):
        run_locally(FillText(pretrained="tiny", texts=("[MASK]",)), home / "headless")


def test_a_trained_encoder_embeds_texts(home):
    found = run_locally(EmbedTexts(model="trained", texts=("aba", "cdc"), max_length=16), home / "embedded")
    assert (found.count, found.embedding_dim) == (2, 32)


def test_weights_are_taken_with_their_vocabulary_and_no_other_layout(home):
    spec = TrainText(**(FIELDS | {"hidden": 16, "start": "trained"}))
    with pytest.raises(BadInput, match=r"'hidden' should be 32 as in job trained, .* received 16"):
        run_locally(spec, home / "restarted", {"verses": home / "verses.txt"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("short", "too few|tokens, and a row"),
        ("", "no text"),
    ],
)
def test_a_text_that_is_too_short_is_refused_in_a_sentence(home, tmp_path, text, said):
    (tmp_path / "verses.txt").write_text(text)
    with pytest.raises(BadInput, match=said):
        run_locally(TrainText(**FIELDS), tmp_path / "job", {"verses": tmp_path / "verses.txt"})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"heads": 3}, "'heads' should divide hidden, 32, received 3"),
        ({"new_words": ("x",)}, "'new_words' goes with 'pretrained'"),
        ({"sentences": ("no mask",)}, r"should have \[MASK\] in each, received 'no mask'"),
    ],
)
def test_a_training_that_cannot_be_is_refused(fields, said):
    with pytest.raises(InvalidSpec, match=said):
        TrainText.model_validate(FIELDS | fields)


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        (FillText, {"texts": ("[MASK]",)}, "'model' and 'pretrained', received neither"),
        (FillText, {"model": "a", "pretrained": "tiny"}, "received both"),
        (FillText, {"model": "a"}, "'texts' and 'dataset', received neither"),
        (EvaluateText, {"pretrained": "tiny"}, "'dataset' is required"),
    ],
)
def test_a_question_without_a_model_or_a_text_is_refused(kind, fields, said):
    with pytest.raises(InvalidSpec, match=said):
        kind.model_validate(fields)


def test_a_model_that_knows_no_more_than_frequencies_is_said_to():
    scores = {"tokens": 9, "loss": 1.0, "accuracy": 0.1, "unigram": 100.0, "five_gram": 50.0}
    assert "has not learnt" in warning_of(MaskedScores(**scores, perplexity=96.0))
    assert not warning_of(MaskedScores(**scores, perplexity=60.0))


def test_the_exported_folder_says_what_it_is(home):
    folder = Path(home / "trained/artifacts/model")
    config = json.loads((folder / "config.json").read_text())
    assert (config["model_type"], config["architectures"]) == ("roberta", ["RobertaForMaskedLM"])
    assert "fill-mask" in (folder / "README.md").read_text()
