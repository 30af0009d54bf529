"""Models that write texts in training: what is told and learnt, what is left, and what is said of it."""

import json
import math
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

pytest.importorskip("tensorflow")

import tensorflow as tf

from jobs import EvaluateGeneration, GenerateTexts, TrainGeneration
from jobs.errors import BadInput, InvalidSpec
from jobs.local import LocalContext, run_locally
from jobs.tokens.ngrams import five_gram_losses, unigram_losses
from jobs.transformer.decoder import folders, tiny
from jobs.transformer.decoder.forward import Causal, hidden, logits
from jobs.transformer.decoder.texts import Texts
from jobs.transformer.generation import rows as generation_rows
from jobs.transformer.generation.learner import Learner
from jobs.transformer.generation.preparing import _pair, prepare
from jobs.transformer.generation.rows import Rows, Teller
from jobs.transformer.generation.train import _overfitting

Array = np.ndarray[Any, Any]
VERSE = "".join(f"{a} {b} the {c}\n" for a in "abcd" for b in "efgh" for c in ("sea", "sky", "sand")) * 4


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A verse, pairs of prompts and answers, and a job `trained` that has learnt the verse's characters."""
    home = tmp_path_factory.mktemp("home")
    (home / "verse.txt").write_text(VERSE)
    pairs = [f'"what {n}","it is {n}"' for n in "abcdefgh"]
    pairs += ['"",none', f'long,"{"long " * 40}"']
    (home / "pairs.csv").write_text("\n".join(["prompt,answer", *pairs]))
    run_locally(spec(), home / "trained", data(home))
    return home


def data(home: Path) -> dict[str, Path]:
    return {"verse": home / "verse.txt", "pairs": home / "pairs.csv"}


def spec(**fields: Any) -> TrainGeneration:
    common = {
        "dataset": "verse",
        "vocabulary": "characters",
        "hold_out": "end",
        "max_length": 16,
        "epochs": 6,
    }
    sizes = {
        "layers": 1,
        "width": 16,
        "heads": 2,
        "batch_size": 8,
        "sample_tokens": 4,
        "precision": "float32",
    }
    return TrainGeneration.model_validate({**common, **sizes, **fields})


def tuning(**fields: Any) -> TrainGeneration:
    common = {
        "dataset": None,
        "instructions": "pairs",
        "pretrained": "tiny-gpt",
        "max_length": 64,
        "epochs": 1,
    }
    return spec(**{**common, **fields})


def test_it_learns_more_than_the_frequencies_and_says_what_a_5_gram_does(home: Path) -> None:
    result = json.loads((home / "trained/result.json").read_text())
    scores = result["held_out"]
    assert scores["loss"] < 0.9 * scores["unigram"]
    assert scores["five_gram"] < scores["unigram"]
    assert scores["perplexity"] == pytest.approx(math.exp(scores["loss"]))
    held_out = len(VERSE) - int(len(VERSE) * 0.9)
    tokens = result["tokens"]["held_out"]
    assert tokens == held_out + 1  # and the token at the end
    assert scores["bits_per_byte"] == pytest.approx(scores["loss"] * tokens / math.log(2) / held_out)
    assert len(list((home / "trained/samples").iterdir())) == 6


def test_the_folder_that_it_leaves_is_read_and_tells_as_well(home: Path) -> None:
    # Of a model that reads 16 tokens, and without a word on lengths.
    asked = EvaluateGeneration(model="trained", dataset="verse", hold_out="end", precision="float32")
    found = run_locally(asked, home / "evaluation", data(home))
    said = json.loads((home / "trained/result.json").read_text())["held_out"]
    assert found.held_out.loss == pytest.approx(said["loss"], abs=1e-6)
    assert found.held_out.five_gram == pytest.approx(said["five_gram"])
    tokens = found.held_out.tokens + 1
    assert found.nats_per_character == pytest.approx(found.held_out.loss * tokens / found.characters)
    answers = GenerateTexts(model="trained", texts=("a e the ",), temperature=0.0)
    assert len(run_locally(answers, home / "answers").texts[0][0]) > 0


def test_the_loss_is_the_mean_over_what_is_to_be_told(tmp_path: Path) -> None:
    tiny.write(tmp_path / "tiny")
    decoder = folders.read(tmp_path / "tiny")
    tokens = np.random.default_rng(0).integers(0, 257, (3, 9)).astype(np.int32)
    rows = Rows(tokens, np.array([1, 4, 8], np.int32), np.array([9, 6, 8], np.int32))
    expected = []
    for row, (first, end) in enumerate(zip(rows.first, rows.end, strict=True)):
        states = hidden(
            decoder.layout,
            decoder.weights,
            tf.constant(tokens[row : row + 1]),
            tf.range(9)[None],
            Causal(9),
            tf.float32,
        )
        found = np.asarray(logits(decoder.layout, decoder.weights, states), np.float64)
        expected += [
            np.log(np.exp(found[place - 1]).sum()) - found[place - 1, tokens[row, place]]
            for place in range(first, end)
        ]
    teller = Teller(decoder.layout, lambda: decoder.weights, tf.float32)
    assert rows.told() == len(expected) == 10
    assert teller.mean(rows) == pytest.approx(np.mean(expected), abs=1e-5)


def test_many_logits_in_parts_have_the_loss_and_the_gradients_of_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write(tmp_path / "tiny")
    decoder = folders.read(tmp_path / "tiny")
    values = {name: tf.constant(array) for name, array in decoder.weights.items()}
    teller = Teller(decoder.layout, lambda: values, tf.float32)
    tokens = tf.constant(np.random.default_rng(0).integers(0, 257, (3, 9)).astype(np.int32))

    def learnt() -> list[Array]:
        @tf.function(autograph=False)
        def step() -> list[tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                loss = tf.reduce_sum(teller.nats(tokens, tf.constant([1, 4, 8]), tf.constant([9, 6, 8]))[0])
            return [loss, *map(tf.convert_to_tensor, tape.gradient(loss, list(values.values())))]

        return [np.asarray(each) for each in step()]

    whole = learnt()
    monkeypatch.setattr(generation_rows, "MOST_LOGITS", 257 * 5)  # 24 tokens in five parts
    for all_at_once, in_parts in zip(whole, learnt(), strict=True):
        np.testing.assert_allclose(in_parts, all_at_once, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("length", [2, 9, 17, 18, 33, 40])
def test_rows_that_overlap_tell_each_token_but_the_first_once(length: int) -> None:
    tokens = np.arange(length).astype(np.uint16)
    rows = Rows.overlapping(tokens, 8)
    told = [
        int(row[place])
        for row, first, end in zip(rows.tokens, rows.first, rows.end, strict=True)
        for place in range(first, end)
    ]
    assert told == list(range(1, length))


def test_of_a_pair_the_answer_is_learnt_with_its_end_even_where_the_end_fills_rows_up(tmp_path: Path) -> None:
    tiny.write(tmp_path / "tiny")  # its pad is its end
    texts = Texts(tmp_path / "tiny")
    tokens, first = _pair(texts, "why", "so")
    assert texts.decoded(tokens[:first].tolist()) == "user: why\nassistant: "
    assert tokens[first:].tolist() == [*texts.encoded("so").tolist(), texts.end]


def test_pairs_that_cannot_be_learnt_are_counted(home: Path, tmp_path: Path) -> None:
    result = run_locally(tuning(), tmp_path, data(home))
    assert result.left_out == {"no prompt": 1, "longer than max_length": 1}
    assert result.rows == {"train": 7, "held_out": 1}
    assert result.tokens["train"] == 7 * len("it is a") + 7  # each with its end
    assert result.before is not None
    assert result.held_out is not None
    assert result.held_out.bits_per_byte is None


def test_adapters_are_small_and_merged_into_what_is_left(home: Path, tmp_path: Path) -> None:
    asked = tuning(adapters=2, learning_rate=0.05, epochs=2)
    result = run_locally(asked, tmp_path / "job", data(home))
    tiny.write(tmp_path / "tiny")
    before, after = folders.read(tmp_path / "tiny"), folders.read(tmp_path / "job/artifacts/model")
    learnt = load_file(tmp_path / "job/artifacts/adapters.safetensors")
    assert result.trained_parameters == sum(array.size for array in learnt.values()) < result.parameters / 4
    for name, array in before.weights.items():
        added = learnt[f"{name}_low"] @ learnt[f"{name}_high"] if f"{name}_low" in learnt else 0
        np.testing.assert_allclose(after.weights[name], array + added, atol=1e-6)
    with LocalContext(tmp_path / "other", data(home)) as context:
        prepared = prepare(asked, context)
        assert result.before is not None
        assert Learner(asked, prepared.decoder, 1).teller.mean(prepared.held_out) == pytest.approx(
            result.before.loss, abs=1e-6
        )  # fresh adapters change nothing
        merged = Teller(after.layout, lambda: after.weights, tf.float32)
        assert result.held_out is not None
        assert merged.mean(prepared.held_out) == pytest.approx(result.held_out.loss, abs=1e-5)


def test_overfitting_is_said_with_its_figures() -> None:
    def said(*losses: float) -> list[str]:
        trained: Any = SimpleNamespace(judged={"validation_loss": np.array([*losses, np.nan], np.float32)})
        return _overfitting(trained, len(losses))

    (note,) = said(2.0, 1.5, 1.75)
    assert note.startswith("overfitting: the held-out loss rose from 1.500 after epoch 2 to 1.750 at the end")
    assert said(2.0, 1.5, 1.501) == said(3.0, 2.0, 1.0) == []


@pytest.mark.parametrize(
    "fields", [{"vocabulary": "bytes", "layout": "gpt2"}, {"vocabulary_size": 262, "vocabulary": "bpe"}]
)
def test_every_vocabulary_and_layout_learns(home: Path, tmp_path: Path, fields: dict[str, Any]) -> None:
    result = run_locally(spec(**fields, epochs=1), tmp_path, data(home))
    layout = folders.read(tmp_path / "artifacts/model").layout
    assert layout.family == fields.get("layout", "llama")
    assert layout.vocabulary == result.vocabulary == fields.get("vocabulary_size", 257)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dataset": None}, "'dataset' and 'instructions', received neither"),
        ({"instructions": "pairs"}, "'dataset' and 'instructions', received both"),
        ({"adapters": 4}, "'adapters' needs 'pretrained', received none"),
        ({"heads": 5}, "'heads' should divide 'width', 16"),
        ({"pretrained": "tiny-gpt", "adapters": 4, "optimizer": "muon"}, "adapters are trained by AdamW"),
    ],
)
def test_a_spec_that_does_not_fit_together_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSpec, match=message):
        spec(**fields)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (spec(max_length=4000), "has [0-9]+ tokens, and a row has 4001"),
        (spec(pretrained="tiny-gpt", max_length=300), "max_length is 300, and the model reads 256 tokens"),
        (tuning(max_length=8), "has 0 pairs of a prompt and an answer"),
    ],
)
def test_text_that_is_too_short_or_too_long_is_refused(
    home: Path, tmp_path: Path, asked: TrainGeneration, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        run_locally(asked, tmp_path, data(home))


def test_the_n_grams_are_those_of_counting() -> None:
    draws = np.random.default_rng(0)
    train, tokens = draws.integers(0, 4, 300), draws.integers(0, 4, 40)
    counts = Counter(train.tolist())
    expected = [-math.log((counts[token] + 1) / (300 + 4)) for token in tokens.tolist()]
    np.testing.assert_allclose(unigram_losses(train, tokens, 4), expected)
    found = five_gram_losses(train, tokens, 4)
    for place, token in enumerate(tokens.tolist()):
        context = tokens[max(0, place - 4) : place].tolist()
        assert found[place] == pytest.approx(-math.log(witten_bell(train.tolist(), context, token)))


def witten_bell(train: list[int], context: list[int], token: int) -> float:
    """By counting all places in the text, one order after the other."""
    share = 0.25
    for size in range(len(context) + 1):
        before = context[len(context) - size :]
        after = [train[at + size] for at in range(len(train) - size) if train[at : at + size] == before]
        if after:
            share = (after.count(token) + len(set(after)) * share) / (len(after) + len(set(after)))
    return share
