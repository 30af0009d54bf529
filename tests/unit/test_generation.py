"""Answers to prompts: the same for every batch, number of parts and interruption, whatever they ask."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

pytest.importorskip("tensorflow")

from jobs import GenerateTexts
from jobs.context import StopReason
from jobs.errors import BadInput, InvalidSpec, Stopped
from jobs.local import LocalContext, run_locally
from jobs.transformer.bulk import shards as bulk
from jobs.transformer.decoder import folders, tiny
from jobs.transformer.decoder.generating import Generator, Request, Wish
from jobs.transformer.decoder.sampling import Sampling
from jobs.transformer.decoder.texts import Texts
from jobs.transformer.generation import prompts

PROMPTS = ("To be", "or not", "x" * 70, "that", "is", "?")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder of random weights."""
    folder = tmp_path_factory.mktemp("decoder")
    tiny.write(folder)
    return folder


@pytest.fixture(scope="module")
def generator(folder: Path) -> Generator:
    return Generator(folders.read(folder), Texts(folder), "float32")


def spec(**fields: Any) -> GenerateTexts:
    common = {"pretrained": "tiny-gpt", "max_tokens": 8, "batch_size": 2, "precision": "float32"}
    return GenerateTexts.model_validate({**common, "chat": "never", **fields})


def wish(generator: Generator, **fields: Any) -> Wish:
    common = {"seed": 5, "sampling": Sampling(), "most": 6, "stops": (), "ends": generator.texts.ends}
    return Wish(**{**common, **fields})


def answered(generator: Generator, asked: list[Request], wanted: Wish, size: int = 4) -> dict[int, Any]:
    return {each.row: answer for each, answer in generator.answers(asked, wanted, size, lambda done: True)}


def requests(generator: Generator) -> list[Request]:
    return [Request(row, 0, generator.texts.prompt(text)) for row, text in enumerate(PROMPTS)]


def test_greedy_answers_are_those_of_reading_everything_again_for_each_token(generator: Generator) -> None:
    asked, greedy = requests(generator), wish(generator, sampling=Sampling(temperature=0))
    found = answered(generator, asked, greedy)
    session = generator._of(4, 128)
    for request in asked:
        tokens: list[int] = []
        while len(tokens) < 6 and not generator.texts.ends & set(tokens):
            row = np.concatenate([request.tokens, np.array(tokens, np.int32)])
            tokens.append(int(session.prompts([row])[0].argmax()))
        said = [token for token in tokens if token not in generator.texts.ends]
        assert found[request.row].text == generator.texts.decoded(said)
        assert found[request.row].tokens == len(tokens)


def test_an_answer_depends_on_seed_row_and_place_and_not_on_the_batch(generator: Generator) -> None:
    asked = requests(generator)
    whole = answered(generator, asked, wish(generator))
    assert {row: answered(generator, [asked[row]], wish(generator))[row] for row in whole} == whole
    assert answered(generator, asked[::-1], wish(generator)) == whole
    assert answered(generator, asked, wish(generator, seed=6)) != whole
    other = [Request(request.row, 1, request.tokens) for request in asked]
    assert answered(generator, other, wish(generator)) != whole


def test_a_stop_text_ends_an_answer_and_is_no_part_of_it(generator: Generator) -> None:
    asked = requests(generator)[:1]
    whole = answered(generator, asked, wish(generator, most=20))[0]
    stop = whole.text[2:4]
    cut = answered(generator, asked, wish(generator, most=20, stops=("nothing", stop)))[0]
    assert cut.finish == "stop"
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.tokens <= whole.tokens


def test_the_token_at_the_end_of_texts_ends_an_answer(generator: Generator) -> None:
    asked = requests(generator)[:1]
    first = int(generator._of(4, 64).prompts([asked[0].tokens])[0].argmax())
    greedy = wish(generator, sampling=Sampling(temperature=0), ends=frozenset({first}))
    assert answered(generator, asked, greedy)[0].__dict__ == {"text": "", "tokens": 1, "finish": "end"}


def test_prompts_of_every_sort_have_a_documented_outcome(tmp_path: Path) -> None:
    texts = ("plain", "", "too long " * 100, "\n", "\U0001f600 \u4f60", "\ufffd")
    result = run_locally(spec(texts=texts, answers=2, output="jsonl"), tmp_path)
    assert (result.rows, result.unanswered, result.answers) == (6, 1, 10)
    assert result.remarks == {"cut": 1, "empty": 1, "half a character": 1}
    assert [len(found) for found in result.texts] == [2, 0, 2, 2, 2, 2]
    written = (tmp_path / "artifacts/answers.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in written.split("\n")[:-1]]
    assert [(line["row"], line["answer"]) for line in lines if line["row"] != 1] == [
        (row, answer) for row in (0, 2, 3, 4, 5) for answer in (0, 1)
    ]
    assert sum(result.finishes.values()) == 10
    assert sum(line["tokens"] or 0 for line in lines) == result.tokens


def test_a_long_prompt_is_answered_as_its_end_alone_would_be(tmp_path: Path) -> None:
    room = tiny._SIZES["max_position_embeddings"] - 8
    long = "".join(chr(97 + n % 26) for n in range(400))
    found = run_locally(spec(texts=(long,)), tmp_path / "long")
    assert found.texts == run_locally(spec(texts=(long[-room:],)), tmp_path / "end").texts
    assert found.remarks == {"cut": 1}


def test_of_a_long_question_the_question_is_cut_and_the_template_stays(
    generator: Generator, folder: Path
) -> None:
    reader = prompts.Reader(spec(texts=("x",), chat="always"), generator)
    (request,), cut = reader.requests(0, "y" * 1_000)
    text = generator.texts.decoded(request.tokens.tolist())
    assert cut
    assert text.startswith("user: y") and text.endswith("y\nassistant: ")
    assert len(request.tokens) == 256 - 8


@pytest.mark.parametrize("output", ["csv", "parquet"])
def test_a_file_is_answered_row_by_row_with_what_there_is_to_say_of_it(tmp_path: Path, output: str) -> None:
    rows = [b"one", b'"two, and more"', b"", b"\xff bytes", b"last"]
    (tmp_path / "file.csv").write_bytes(b"\n".join([b"id,text", *(b"7," + row for row in rows)]))
    result = run_locally(
        spec(dataset="file", output=output), tmp_path / "job", {"file": tmp_path / "file.csv"}
    )
    assert (result.rows, result.unanswered, result.texts) == (5, 1, [])
    path = tmp_path / f"job/artifacts/answers.{output}"
    if output == "csv":
        with path.open(encoding="utf-8", newline="") as file:
            table = list(csv.DictReader(file))
    else:
        table = parquet.read_table(path).to_pylist()
    assert [line["remark"] for line in table] == ["", "", "empty", "not UTF-8", ""]
    assert [line["prompt"] for line in table][:2] == ["one", "two, and more"]


def test_prompts_without_a_letter_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="none of the 2 prompts has a letter"):
        run_locally(spec(texts=("", "")), tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_tokens": 256}, "max_tokens is 256, and the model reads 256 tokens"),
        ({"pretrained": "tiny"}, "tiny is a 'bert', and texts are generated by"),
    ],
)
def test_what_the_model_cannot_do_is_refused(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        run_locally(spec(texts=("x",), **fields), tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"texts": ("x",), "dataset": "y"}, "'texts' and 'dataset', received both"),
        ({}, "'texts' and 'dataset', received neither"),
        ({"texts": ("x",), "model": "job"}, "'model' and 'pretrained', received both"),
        ({"texts": ("x",), "system": "be kind"}, "'system' is part of a chat"),
        ({"texts": ("x",), "temperature": -1.0}, "'temperature' should be greater than or equal to 0"),
        ({"texts": ("x",), "stops": ("",)}, "'stops.0' "),
    ],
)
def test_a_spec_that_says_two_things_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSpec, match=message):
        spec(**fields)


def test_a_chat_needs_a_template(tmp_path: Path) -> None:
    tiny.write(tmp_path / "model")
    settings = json.loads((tmp_path / "model/tokenizer_config.json").read_text())
    del settings["chat_template"]
    (tmp_path / "model/tokenizer_config.json").write_text(json.dumps(settings))
    asked = spec(pretrained=str(tmp_path / "model"), texts=("x",), chat="always")
    with pytest.raises(BadInput, match="has no template for chats"):
        run_locally(asked, tmp_path / "job")


def test_a_job_that_is_stopped_three_times_leaves_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "BATCHES", 1)
    monkeypatch.setattr(bulk, "REPORT_SECONDS", 0.0)
    asked = spec(texts=PROMPTS, output="csv", checkpoint_seconds=0)
    alone = run_locally(asked, tmp_path / "alone")
    stops = 0

    class Stopping(LocalContext):
        asked = 0

        def should_stop(self) -> StopReason | None:
            self.asked += 1
            return StopReason.DRAIN if self.asked == 13 else None

    for _ in range(3):
        try:
            run_locally(asked, tmp_path / "job", context=Stopping)
        except Stopped:
            stops += 1
    found = run_locally(asked, tmp_path / "job")
    assert stops >= 2
    assert found.texts == alone.texts
    path = "artifacts/answers.csv"
    assert (tmp_path / "job" / path).read_bytes() == (tmp_path / "alone" / path).read_bytes()
