"""Names of classes that a library takes for something else, in pictures, tables, pages and terminals."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.readable import encodable, one_line
from jobs.errors import BadInput
from jobs.pictures import bars, curves, lettering
from jobs.pretrained.card import Card
from jobs.pretrained.heads import classes_of
from jobs.selfsupervised.evaluate import draw_map
from jobs.transformer.bulk.tables import assemble
from jobs.transformer.judging.charts import confusion_matrix
from jobs.transformer.predictions import PredictionShard, schema_of
from scheduler.cli import output
from scheduler.cli.fields import read_spec
from worker.failures import classify

NAMES = (
    "$0_$9",
    "costs $5",
    r"\$x$",
    "a <b>bold</b> & b",
    "a|b",
    "_hidden",
    "",
    " ",
    "x" * 200,
    "x" * 199 + "y",
    "中文",
    "עברית",
    "ไทย",
    "😀👩‍🔬",
    "two\nlines\tand a tab",
    "\x1b[31mred\x07",
    "\u202ereversed",
    "[red]markup[/red]",
    ":smile:",
    "`tick``s`",
    "%s {0} #1 ~",
    'quo"ted',
    "café",
)


def test_any_name_can_be_drawn_in_a_confusion_matrix():
    picture = confusion_matrix(np.eye(len(NAMES), dtype=int), NAMES, "100 $_$ texts")
    assert Image.open(io.BytesIO(picture)).width > 500


def test_any_name_can_be_drawn_in_the_legend_of_a_map():
    count = len(NAMES)
    labels = np.arange(count, dtype=np.int64).repeat(2)
    data = ImageSet(np.zeros((2 * count, 2, 2, 1), np.uint8), labels, NAMES)
    places = np.random.default_rng(0).normal(size=(2 * count, 3)).astype(np.float32)
    spec = SimpleNamespace(map="pca", dataset="own", seed=0)
    assert draw_map(places, data, np.arange(2 * count), spec)  # type: ignore[arg-type]


def test_any_name_can_be_drawn_in_charts():
    assert curves({name: np.array([1.0, 2.0]) for name in ("$0_$9", "a $")}, "x", "y")
    assert bars({name: [0.5] for name in ("$0_$9", "a $")}, "y")


def test_a_name_without_a_font_is_drawn_as_its_number_and_that_is_said():
    found = lettering.lettering(("plain", "\U000fffff private"))
    assert found.labels == ("plain", "class 1")
    assert found.remark == "1 names are shown as numbers:\nno font here has their letters"


def test_a_font_that_has_the_letters_is_used(monkeypatch: pytest.MonkeyPatch):
    had = {lettering.FONT: "ab", "Another": "中文", "Third": "中"}
    entries = [SimpleNamespace(name=name, fname=name, weight=400) for name in had]
    monkeypatch.setattr("matplotlib.font_manager.fontManager", SimpleNamespace(ttflist=entries))
    monkeypatch.setattr("matplotlib.font_manager.findfont", lambda family: family)
    monkeypatch.setattr(lettering, "_letters_of", lambda file, wanted: wanted & frozenset(had[file]))
    lettering._fonts.cache_clear()
    try:
        assert lettering.lettering(("中文", "ab")) == lettering.Lettering(
            ("中文", "ab"), (lettering.FONT, "Another")
        )
    finally:
        lettering._fonts.cache_clear()


def test_names_that_look_alike_once_they_are_cut_are_told_apart():
    first, second = lettering.lettering(("x" * 200, "x" * 199 + "y")).labels
    assert first != second
    assert max(len(first), len(second)) <= lettering.LONGEST


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_any_name_can_be_a_column_of_a_table(suffix: str, tmp_path: Path):
    from pyarrow import csv, parquet

    from jobs.transformer.bulk.windows import Window

    shard = PredictionShard(tmp_path / "shard", NAMES)
    shard.add(Window(0, ["a text"], [""], []), np.arange(len(NAMES), dtype=np.float32)[np.newaxis])
    shard.close()
    path = tmp_path / f"table.{suffix}"
    assemble([tmp_path / "shard"], path, schema_of(NAMES))
    options = csv.ParseOptions(newlines_in_values=True)
    table = csv.read_csv(path, parse_options=options) if suffix == "csv" else parquet.read_table(path)
    assert table.column_names[3:-1] == [f"probability_{name}" for name in NAMES]
    assert table["label"].to_pylist() == [NAMES[-1]]


def test_a_model_card_keeps_its_form_whatever_classes_are_called():
    card = Card("a|b", "own", {"train": 1}, NAMES, {"f1 | <b>": 0.5}, {"name": NAMES}, {"x": "1"}, 128)
    text = card.text()
    text.encode()
    assert "| f1 \\| \\<b\\> | 0.5 |" in text
    assert "```tick``s`".replace("```tick", "``` `tick") + " ```" in text
    assert r"`two\nlines\tand a tab`" in text
    assert r"`\u202ereversed`" in text
    (classes,) = [line for line in text.splitlines() if line.startswith("A text classifier")]
    assert all(one_line(name) in classes for name in NAMES)


def printed(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> str:
    file = io.StringIO()
    screen = Console(file=file, force_terminal=terminal, width=400, highlight=False, color_system=None)
    monkeypatch.setattr(output, "screen", lambda: screen)
    output.show_rows(("class", "count"), [(name, "[bold]1[/bold]") for name in NAMES])
    for name in NAMES:
        output.say(name)
    return file.getvalue()


def test_a_terminal_shows_names_as_they_are_and_obeys_none(monkeypatch: pytest.MonkeyPatch):
    said = printed(monkeypatch, terminal=True)
    assert said.count("[red]markup[/red]") == 2
    assert said.count(":smile:") == 2
    assert "[bold]1[/bold]" in said
    assert r"\x1b[31mred\x07" in said
    assert "\x07" not in said
    assert "\u202e" not in said


def test_a_pipe_gets_one_line_a_row(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    said = printed(monkeypatch, terminal=False).splitlines()
    assert said == [one_line(name) for name in NAMES]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(NAMES)
    assert all(line.count("\t") == 1 for line in lines)


def test_an_error_is_one_line_that_moves_no_cursor(capsys: pytest.CaptureFixture[str]):
    output.failed("no column 'a\nb\x1b[2J\u202e'")
    assert capsys.readouterr().err == "error: no column 'a b\\x1b[2J\\u202e'\n"


def test_names_that_are_not_utf8_can_be_printed_to_a_pipe(capsysbinary: pytest.CaptureFixture[bytes]):
    output.show_rows(("a", "b"), [("caf\udce9", "x")])
    assert capsysbinary.readouterr().out == b"caf\\xe9\tx\n"


@pytest.mark.parametrize(
    ("text", "written"), [("caf\udce9", r"caf\xe9"), ("so \ud83d!", "so �!"), ("é", "é")]
)
def test_a_text_that_cannot_be_encoded_becomes_one_that_can(text: str, written: str):
    assert encodable(text) == written
    assert str(BadInput(f"{text} is bad")) == f"{written} is bad"


def test_a_class_of_a_checkpoint_may_hold_half_a_character():
    config = {"id2label": {"0": "joke \ud83d", "1": "x"}}
    assert classes_of(config, Path("mine"), "AnyForSequenceClassification", 2) == ("joke �", "x")


def test_the_sentence_of_any_failure_can_be_stored():
    assert classify(ValueError("caf\udce9"))[1] == r"ValueError: caf\xe9"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_spec_file_may_begin_with_a_byte_order_mark(encoding: str, tmp_path: Path):
    (tmp_path / "spec.json").write_bytes(json.dumps({"kind": "gan.train"}).encode(encoding))
    assert read_spec(tmp_path / "spec.json") == {"kind": "gan.train"}
