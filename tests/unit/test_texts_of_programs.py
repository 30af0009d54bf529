"""Files of texts as spreadsheets, exports and other libraries write them: what is no text is told apart."""

import json
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from jobs.datasets.texts.intake import Taken, take
from jobs.datasets.texts.rows import rows
from jobs.errors import BadInput
from jobs.transformer.labelled import of_file


def taken(path: Path) -> tuple[Taken, Path]:
    """What a file comes to, and the file that readers are given."""
    (path.parent / "taken").mkdir()
    found = take(path, path.parent / "taken")
    (file,) = (path.parent / "taken").iterdir()
    return found, file


def texts_in(file: Path) -> list[str | None]:
    return [row.text for row in rows(file, "text")]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("head", ["sep=;\r\n", '\ufeff"sep=;"\r\n', "SEP=;\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_first_line_that_names_the_delimiter_is_no_head(head: str, encoding: str, tmp_path: Path) -> None:
    path = written(tmp_path / "mine.csv", f"{head}text;label\na, b;good\nc;bad\n".encode(encoding))
    found, file = taken(path)
    assert (found.columns, found.count) == (("text", "label"), 2)
    assert "its first line names the delimiter and is no row" in found.notes
    assert texts_in(file) == ["a, b", "c"]


def test_a_first_line_that_names_commas_is_no_head_either(tmp_path: Path) -> None:
    _, file = taken(written(tmp_path / "mine.csv", "sep=,\ntext,label\na,good\n"))
    assert texts_in(file) == ["a"]


def test_a_list_or_an_object_in_place_of_a_text_is_left_out_and_counted(tmp_path: Path) -> None:
    lines = [{"text": each, "label": "x"} for each in ("a", ["b"], {"c": 1})]
    path = written(tmp_path / "mine.jsonl", "\n".join(map(json.dumps, lines)))
    parquet.write_table(pyarrow.table({"text": [["a"], ["b"]], "label": ["x", "y"]}), tmp_path / "a.parquet")
    found = of_file(path, "mine.jsonl", "text", "label", "skip")
    assert found.texts == ["a"]
    assert found.left_out == {"no text: a list or an object": 2}
    with pytest.raises(BadInput, match="no row with both a text and a label"):
        of_file(tmp_path / "a.parquet", "a.parquet", "text", "label", "skip")


def test_the_first_line_of_json_lines_is_read_as_the_others_are(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.jsonl", '{"text": "a\tb", "la\\ud83d": 1}\n{"text": "c"}\n')
    found, file = taken(path)
    assert texts_in(file) == ["a\tb", "c"]
    assert found.columns == ("text", "la\ufffd")


def test_a_pad_token_that_the_model_has_not_grown_for_changes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from jobs.pretrained.built import tiny
    from jobs.pretrained.models import load
    from jobs.pretrained.tokens import Tokenizer
    from jobs.transformer.bulk.engine import Choice, embedding

    tiny.write(tmp_path)
    engine = embedding(load(tmp_path, 2), False, Choice("tensorflow", "float32"))

    def of_two_texts() -> np.ndarray:
        tokens, lengths = (tokenizer := Tokenizer(tmp_path, 8)).flat(["love you", "love"])
        padded = np.full((2, lengths[0]), tokenizer.pad, np.int32)
        padded[0], padded[1, : lengths[1]] = tokens[: lengths[0]], tokens[lengths[0] :]
        return next(iter(engine.run([(padded, lengths)])))

    usual = of_two_texts()
    about = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(about | {"pad_token": "[NEW]"}))
    np.testing.assert_array_equal(of_two_texts(), usual)


def test_labels_that_are_not_utf8_are_refused_since_two_might_look_the_same(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", "text,label\na,好\nb,坏\n".encode("gbk"))
    with pytest.raises(BadInput, match=r"row 1 of 'reviews' has a label that is not UTF-8, .*--encoding gbk"):
        of_file(file, "reviews", "text", "label", "refuse")
    found = taken(file)[0]
    assert any("--encoding" in note for note in found.notes)
