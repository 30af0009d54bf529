"""Classifying texts of any number: every row once, in order, whatever it holds, however often stopped."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import csv, parquet

pytest.importorskip("tensorflow")

from jobs import ClassifyTexts
from jobs.errors import BadInput, Stopped
from jobs.local import LocalContext, run_locally
from jobs.pretrained import models
from jobs.pretrained.built import tiny
from jobs.pretrained.card import Card
from jobs.pretrained.export import export
from jobs.transformer.bulk import engine, tables, windows
from jobs.transformer.bulk import shards as bulk
from jobs.transformer.uses import Classification

Contexts = Callable[..., type[LocalContext]]
CLASSES = ("bad", "good")
LONG = "word " * 20_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of jobs, in which `trained` left a classifier of random weights, and `encoder` lies beside."""
    home = tmp_path_factory.mktemp("home")
    (home / "encoder").mkdir()
    tiny.write(home / "encoder")
    classifier = models.load(home / "encoder", len(CLASSES), seed=1).classifier
    card = Card("tiny", "none", {}, CLASSES, {}, {}, {}, 32)
    export(classifier, home / "encoder", home / "trained/artifacts/model", CLASSES, card)
    return home


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "BATCHES", 3)
    monkeypatch.setattr(tables, "GROUP", 25)
    monkeypatch.setattr(bulk, "REPORT_SECONDS", 0.0)


def spec(**fields: Any) -> ClassifyTexts:
    common = {"model": "trained", "max_length": 32, "batch_size": 4, "precision": "float32"}
    return ClassifyTexts.model_validate(common | fields)


def write_csv(path: Path, texts: list[bytes]) -> Path:
    quoted = (b'"' + text.replace(b'"', b'""') + b'"' for text in texts)
    lines = [b"%d,%s" % (number, text) for number, text in enumerate(quoted)]
    path.write_bytes(b"\n".join([b"id,text", *lines]) + b"\n")
    return path


def some_texts(count: int) -> list[bytes]:
    draws = np.random.default_rng(0)
    return [b" ".join([b"word%d" % number] * draws.integers(1, 9)) for number in range(count)]


def test_the_texts_of_a_spec_are_classified_and_the_result_names_their_classes(home: Path) -> None:
    texts = ("I love programming.", "  ", "I hate bugs.")

    result = run_locally(spec(texts=texts), home / "inline")

    assert (result.rows, result.unclassified) == (3, 1)
    assert result.remarks == {"empty": 1}
    assert result.predictions[1] is None
    assert sum(result.labels.values()) == 2
    table = parquet.read_table(home / "inline/artifacts/predictions.parquet").to_pydict()
    assert list(table) == ["row", "text", "label", "probability_bad", "probability_good", "remark"]
    assert table["row"] == [0, 1, 2]
    assert table["text"] == [texts[0], None, texts[2]]
    assert table["label"] == result.predictions


def test_probabilities_are_those_of_the_keras_model_text_by_text(home: Path) -> None:
    texts = [text.decode() for text in some_texts(30)]
    run_locally(spec(texts=texts), home / "probabilities")

    table = parquet.read_table(home / "probabilities/artifacts/predictions.parquet").to_pydict()

    folder = home / "trained/artifacts/model"
    tokenizer = windows.Tokenizer(folder, 32)
    classifier = models.load(folder, 2).classifier
    for number, text in enumerate(texts):
        tokens = tokenizer.flat([text])[0][np.newaxis]
        given = models.inputs("bert", *(engine.tf.constant(a) for a in (tokens, np.ones_like(tokens))))
        logits = np.asarray(classifier(given))[0].astype(np.float64)
        expected = np.exp(logits) / np.exp(logits).sum()
        found = [table[f"probability_{name}"][number] for name in CLASSES]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert table["label"][number] == CLASSES[int(logits.argmax())]


ODD = [b"fine", b"", LONG.encode(), b"caf\xe9 noir", b" \t ", b'two\nlines, and "quotes"', b"fine again"]


@pytest.mark.parametrize("output", ["parquet", "csv"])
def test_every_odd_row_has_its_documented_outcome_and_stops_nothing(home: Path, output: str) -> None:
    data = {"odd": write_csv(home / "odd.csv", ODD)}

    result = run_locally(spec(dataset="odd", output=output), home / f"odd-{output}", data)

    path = home / f"odd-{output}/artifacts/predictions.{output}"
    table = (parquet.read_table(path) if output == "parquet" else read_csv(path)).to_pydict()
    assert table["row"] == list(range(7))
    assert [remark or "" for remark in table["remark"]] == ["", "empty", "cut", "not UTF-8", "empty", "", ""]
    assert [bool(label) for label in table["label"]] == [True, False, True, True, False, True, True]
    assert table["text"][2] == LONG[: windows.SHOWN]
    assert table["text"][3] == "caf\N{REPLACEMENT CHARACTER} noir"
    assert table["text"][5] == 'two\nlines, and "quotes"'
    assert [value is None for value in table["probability_good"]] == [not label for label in table["label"]]
    assert result.remarks == {"cut": 1, "empty": 2, "not UTF-8": 1}
    assert (result.rows, result.unclassified, result.predictions) == (7, 2, [])


def read_csv(path: Path) -> Any:
    options = csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    return csv.read_csv(
        path, parse_options=csv.ParseOptions(newlines_in_values=True), convert_options=options
    )


def test_json_lines_and_parquet_hold_nulls_and_what_is_no_json(home: Path) -> None:
    (home / "lines.jsonl").write_bytes(b'{"text": null}\nnonsense\n{"text": "yes"}\n')
    parquet.write_table(pyarrow.table({"text": [None, "yes"]}), home / "table.parquet")
    data = {"lines": home / "lines.jsonl", "table": home / "table.parquet"}

    lines = run_locally(spec(dataset="lines"), home / "lines", data)
    table = run_locally(spec(dataset="table"), home / "table", data)

    assert lines.remarks == {"not JSON": 1, "null": 1}
    assert table.remarks == {"null": 1}
    assert (lines.unclassified, table.unclassified) == (2, 1)


@pytest.mark.parametrize("output", ["parquet", "csv"])
def test_a_stopped_classification_goes_on_and_its_file_is_the_same_byte_for_byte(
    home: Path, tmp_path: Path, context_that_stops: Contexts, output: str
) -> None:
    texts = some_texts(95)
    texts[40:60] = [b" "] * 20  # whole batches without a text
    data = {"many": write_csv(tmp_path / "many.csv", texts)}
    job = spec(dataset="many", output=output)
    whole = run_locally(job, home / f"whole-{output}", data)

    stopped = home / f"stopped-{output}"
    for batches, row in ((8, 24), (1, 24), (3, 36)):  # a window is 3 batches of 4 rows; a part of one is lost
        with pytest.raises(Stopped, match=f"stopped at row {row} of 95: drain"):
            run_locally(job, stopped, data, context_that_stops(batches))
    assert len(list((stopped / "shards").iterdir())) == 2
    resumed = run_locally(job, stopped, data)

    assert not (stopped / "shards").exists()
    same = {"rows", "unclassified", "remarks", "labels", "predictions", "engine"}
    assert resumed.model_dump(include=same) == whole.model_dump(include=same)
    files = [folder / f"artifacts/predictions.{output}" for folder in (home / f"whole-{output}", stopped)]
    assert files[0].read_bytes() == files[1].read_bytes()
    if output == "parquet":
        table = parquet.read_table(files[1]).to_pydict()
        assert table["row"] == list(range(95))
        assert [text and text.encode() for text in table["text"]] == [
            text if text.strip() else None for text in texts
        ]
    steps = [json.loads(line)["step"] for line in (stopped / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert steps[-1] == 95


@pytest.fixture
def stopped(home: Path, tmp_path: Path, context_that_stops: Contexts) -> tuple[ClassifyTexts, Path]:
    """A job that was stopped at row 24 of 40, and its folder."""
    job = spec(texts=[text.decode() for text in some_texts(40)])
    folder = home / tmp_path.name
    with pytest.raises(Stopped):
        run_locally(job, folder, context=context_that_stops(6))
    return job, folder


def finished(job: ClassifyTexts, folder: Path) -> Classification:
    result = run_locally(job, folder)
    assert result.rows == 40
    assert parquet.read_table(folder / "artifacts/predictions.parquet")["row"].to_pylist() == list(range(40))
    return result


def test_a_damaged_shard_is_noticed_and_all_is_computed_anew(
    stopped: tuple[ClassifyTexts, Path], caplog: pytest.LogCaptureFixture
) -> None:
    shard = next((stopped[1] / "shards").iterdir())
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)

    finished(*stopped)

    assert "lost or damaged: begins anew" in caplog.text


def test_a_lost_shard_is_noticed(
    stopped: tuple[ClassifyTexts, Path], caplog: pytest.LogCaptureFixture
) -> None:
    next((stopped[1] / "shards").iterdir()).unlink()

    finished(*stopped)

    assert "lost or damaged: begins anew" in caplog.text


def test_an_output_is_all_of_one_engine(
    stopped: tuple[ClassifyTexts, Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not engine.has_openvino():
        pytest.skip("there is no second engine here")
    monkeypatch.setattr(engine, "has_openvino", lambda: False)

    result = finished(*stopped)

    assert result.engine.startswith("tensorflow")
    assert "begins anew, as the result is to be of one kind" in caplog.text


def test_a_model_without_a_head_is_refused(home: Path) -> None:
    job = spec(model=None, pretrained=str(home / "encoder"), texts=["a"])
    with pytest.raises(
        BadInput, match=r"encoder has no head .* fine-tune it first with transformer\.finetune"
    ):
        run_locally(job, home / "headless")


def test_a_missing_column_is_named(home: Path) -> None:
    data = {"odd": write_csv(home / "column.csv", ODD)}
    with pytest.raises(BadInput, match="'review'"):
        run_locally(spec(dataset="odd", text_column="review"), home / "column", data)


@pytest.mark.parametrize("texts", [[], [b"", b" "]])
def test_a_file_without_any_text_is_refused(home: Path, tmp_path: Path, texts: list[bytes]) -> None:
    data = {"none": write_csv(tmp_path / "none.csv", texts)}
    with pytest.raises(BadInput, match=f"'none' has {len(texts)} rows, and none has a text .* text_column"):
        run_locally(spec(dataset="none"), home / f"none-{len(texts)}", data)


def test_a_tokenizer_without_a_pad_token_is_refused(home: Path) -> None:
    settings = home / "trained/artifacts/model/tokenizer_config.json"
    before = settings.read_text()
    try:
        settings.write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
        with pytest.raises(BadInput, match=r"no pad token; .*tokenizer\.pad_token = "):
            run_locally(spec(texts=["a"]), home / "padless")
    finally:
        settings.write_text(before)


def test_a_hub_that_cannot_be_reached_is_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BadInput, match=r"'someone/model' could not be downloaded from the hub .*HF_ENDPOINT"):
        run_locally(spec(model=None, pretrained="someone/model", texts=["a"]), home / "hub")


def test_a_window_ends_early_where_texts_are_long(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MOST_CHARACTERS", 3_000)
    tokenizer = windows.Tokenizer(home / "encoder", 32)
    rows = [windows.Row("a" * length) for length in (1_000, 1_000_000, 5, 5)]

    found = list(windows.windows(rows, tokenizer, 4))

    assert [(window.first, window.end) for window in found] == [(0, 2), (2, 4)]
    later = list(windows.windows(rows, tokenizer, 4, first=2))
    assert [(window.first, window.end) for window in later] == [(2, 4)]
