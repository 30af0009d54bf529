"""Questions with choices of answers: the likeliest one, against formulas written here."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from jobs import EvaluateGeneration
from jobs.errors import BadInput, InvalidSpec
from jobs.local import run_locally
from jobs.transformer.decoder import folders, tiny
from jobs.transformer.decoder.forward import Causal, hidden, logits
from jobs.transformer.decoder.texts import Texts

Array = np.ndarray[Any, Any]
ROWS = (
    ("Who?", "b", "you", "all of them", ""),
    ("And", "\U0001f600", "x", "\U0001f600", "\u4f60\u597d"),
    ("long " * 30, "a", "me", "I", "it"),
    ("", "a", "me", "I", "it"),
    ("One choice", "a", "me", "", " "),
    ("None is right", "z", "me", "I", "it"),
    ("Two are right", "me", "me", "me", "it"),
    ("A choice too long", "a", "me " * 40, "I", "it"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("choices")
    with (home / "asked.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("prompt", "answer", "a", "b", "c"), *ROWS])
    tiny.write(home / "decoder")
    return home


def spec(**fields: Any) -> EvaluateGeneration:
    common = {"pretrained": "tiny-gpt", "questions": "asked", "choice_columns": ["a", "b", "c"]}
    return EvaluateGeneration.model_validate(
        {**common, "max_length": 64, "precision": "float32", "chat": "never", **fields}
    )


def nats(home: Path, before: Array, after: Array) -> float:
    """Minus the sum of the logarithms of each token's probability, by all tokens before it."""
    decoder = folders.read(home / "decoder")
    tokens = np.concatenate([before, after])
    states = hidden(
        decoder.layout,
        decoder.weights,
        tf.constant(tokens[None]),
        tf.range(len(tokens))[None],
        Causal(len(tokens)),
        tf.float32,
    )
    shares = tf.nn.log_softmax(logits(decoder.layout, decoder.weights, states)).numpy()
    return -float(sum(shares[len(before) + n - 1, token] for n, token in enumerate(after)))


@pytest.mark.parametrize("chat", ["never", "always"])
def test_the_likeliest_choice_is_that_of_its_tokens_after_the_prompt(home: Path, chat: str) -> None:
    found = run_locally(spec(chat=chat), home / chat, {"asked": home / "asked.csv"})
    told, texts = [], Texts(home / "decoder")
    for prompt, _, *others in ROWS[:3]:
        put = texts.chat(prompt, None) if chat == "always" else prompt
        space = "" if chat == "always" or prompt.endswith(" ") else " "
        worth = []
        for choice in filter(None, others):
            after = texts.encoded(f"{space}{choice}", special=False)
            before = texts.encoded(put, special=False)[-(65 - len(after)) :]
            worth.append(nats(home, before, after))
        told.append(worth)
    with (home / chat / "artifacts/choices.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [int(line["row"]) for line in lines] == [0, 1, 2]
    for line, worth in zip(lines, told, strict=True):
        np.testing.assert_allclose(np.array(line["nats"].split(), float), worth, atol=2e-3)
    right = (1, 1, 0)
    assert found.choices is not None
    assert found.choices.questions == 3
    hits = [int(np.argmin(worth)) == each for worth, each in zip(told, right, strict=True)]
    assert found.choices.accuracy == pytest.approx(np.mean(hits))
    assert found.choices.chance == pytest.approx((1 / 2 + 1 / 3 + 1 / 3) / 3)
    # The longest in bytes: "all of them", four bytes before six, "me".
    assert found.choices.longest == pytest.approx(2 / 3)
    assert found.left_out == {
        "no prompt": 1,
        "fewer than two choices": 1,
        "no right choice, or more than one": 2,
        "a choice longer than max_length": 1,
        "prompts cut": 1,
    }
    assert json.loads((home / chat / "artifacts/evaluation.json").read_text())["choices"]["questions"] == 3


def test_questions_that_cannot_be_asked_are_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="received both"):
        spec(dataset="descriptions")
    with pytest.raises(InvalidSpec, match="choice_columns"):
        spec(choice_columns=["a"])
    (tmp_path / "none.csv").write_text("prompt,answer,a,b,c\nx,y,z,z,z\n")
    with pytest.raises(BadInput, match="no question with choices"):
        run_locally(spec(), tmp_path / "none", {"asked": tmp_path / "none.csv"})
    with pytest.raises(BadInput, match="'c'"):
        (tmp_path / "few.csv").write_text("prompt,answer,a,b\nx,a,z,y\n")
        run_locally(spec(), tmp_path / "few", {"asked": tmp_path / "few.csv"})
