"""Files of texts as people have them: what they are is found out and said, or asked about."""

import json
import logging
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from jobs.datasets.texts.intake import Taken, Writing, take
from jobs.datasets.texts.rows import Row, rows
from jobs.datasets.texts.sets import file_of
from jobs.errors import BadInput
from jobs.local import LocalContext
from jobs.transformer.labelled import for_classes, of_file, of_texts
from jobs.transformer.spec import FineTune
from jobs.transformer.uses import ClassifyTexts


def taken(path: Path, **writing: Any) -> tuple[Taken, Path]:
    """What a file comes to, and the file that readers are given."""
    folder = path.parent / f"taken-{len(list(path.parent.iterdir()))}"
    folder.mkdir()
    found = take(path, folder, Writing(**writing))
    (file,) = folder.iterdir()
    return found, file


def texts_in(file: Path, column: str = "text") -> list[str | None]:
    return [row.text for row in rows(file, column)]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# 5: encodings, delimiters, quotation marks.


def test_texts_of_a_tsv_that_begin_with_a_quotation_mark_keep_their_rows(tmp_path):
    texts = [f'"so it goes {n}' if n % 10 == 0 else f"plain {n}" for n in range(200)]
    lines = [f"{text}\t{'pos' if n % 2 else 'neg'}" for n, text in enumerate(texts)]
    path = written(tmp_path / "a.tsv", "\n".join(["text\tlabel", *lines]) + "\n")
    found, file = taken(path)
    assert found.count == 200
    assert texts_in(file) == texts
    assert "quotation marks are part of the texts: not all that begin a field are closed" in found.notes
    labelled = of_file(file, "a", "text", "label", "refuse")
    assert (len(labelled.texts), labelled.class_names) == (200, ("neg", "pos"))


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_text_that_goes_on_behind_its_quotation_marks_is_kept_whole(suffix, tmp_path):
    mark = {"csv": ",", "tsv": "\t"}[suffix]
    texts = ['"Great" film', "plain", '"Bad']
    lines = [f"{text}{mark}x" for text in texts]
    found, file = taken(written(tmp_path / f"a.{suffix}", "\n".join([f"text{mark}label", *lines])))
    assert (found.count, texts_in(file)) == (3, texts)


def test_quotation_marks_that_enclose_fields_are_taken_off_in_csv_and_tsv(tmp_path):
    for suffix, mark in (("csv", ","), ("tsv", "\t")):
        content = f'text{mark}label\n"a{mark}b ""c"""{mark}x\n"two\nlines"{mark}y\n'
        found, file = taken(written(tmp_path / f"a.{suffix}", content))
        assert found.count == 2
        assert texts_in(file) == [f'a{mark}b "c"', "two\nlines"]
        assert file.read_bytes() == content.encode()  # as it was: so is its digest


def test_marks_that_can_be_read_in_two_ways_are_asked_about(tmp_path):
    lines = ['"\tneg' if n in (3, 7) else f"plain {n}\tpos" for n in range(10)]
    path = written(tmp_path / "a.tsv", "\n".join(["text\tlabel", *lines]) + "\n")
    with pytest.raises(BadInput, match=r"enclose fields it has 6 rows, if they are part .* it has 10; say"):
        taken(path)
    assert taken(path, quoting="none")[0].count == 10
    assert taken(path, quoting="double")[0].count == 6


def test_a_text_over_two_lines_is_one_row_even_if_both_would_make_one(tmp_path):
    path = written(tmp_path / "a.csv", 'id,text\n1,"two\nlines, and ""quotes"""\n2,plain\n')
    found, file = taken(path)
    assert (found.count, texts_in(file)) == (2, ['two\nlines, and "quotes"', "plain"])
    assert found.notes == ("1 fields in quotation marks go on over several lines",)
    lines = ['",neg' if n in (3, 7) else f"plain {n},pos" for n in range(10)]
    with pytest.raises(BadInput, match=r"it has 6 rows, if they are part of the texts it has 10"):
        taken(written(tmp_path / "b.csv", "\n".join(["text,label", *lines])))


def test_marks_that_enclose_one_column_and_begin_another_are_asked_about(tmp_path):
    path = written(tmp_path / "a.csv", 'text,label\n"so "it" goes,"pos"\nplain,"neg"\n')
    with pytest.raises(BadInput, match=r"--quoting double or --quoting none"):
        taken(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "text;label\ngood, really;pos\nbad;neg\n", "2 columns are delimited by semicolons"),
        ("a.csv", "text\tlabel\ngood, really\tpos\nbad\tneg\n", "2 columns are delimited by tabs"),
        ("a.csv", 'text;label\n"good, really";pos\n"bad";neg\n', "delimited by semicolons"),
        ("a.tsv", 'text,label\n"good, really",pos\nbad,neg\n', "delimited by commas"),
        ("a.csv", "text|label\ngood, really|pos\nbad|neg\n", "delimited by vertical bars"),
    ],
)
def test_another_delimiter_is_found_out_and_said(name, content, said, tmp_path):
    found, file = taken(written(tmp_path / name, content))
    assert found.columns == ("text", "label")
    assert texts_in(file) == ["good, really", "bad"]
    assert any(said in note for note in found.notes)


def test_a_delimiter_that_could_be_either_is_asked_for(tmp_path):
    path = written(tmp_path / "a.csv", "text;more|label\na;b|x\nc;d|y\n")
    with pytest.raises(BadInput, match=r"could be delimited by semicolons or vertical bars; .*--delimiter"):
        taken(path)
    assert taken(path, delimiter=";")[0].columns == ("text", "more|label")


def test_one_column_stays_one(tmp_path):
    content = 'text\none, two\n"a\nb"\nthree; four\n\n'
    found, file = taken(written(tmp_path / "a.tsv", content))
    assert (found.columns, found.count) == (("text",), 4)
    assert texts_in(file) == ["one, two", "a\nb", "three; four", None]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["a.csv", "a.TSV", "A.JSONL"])
def test_encodings_of_spreadsheets_and_suffixes_in_capitals_are_read(encoding, name, tmp_path):
    content = {
        "a.csv": "text,label\ncafé 中文,pos\nbad,neg\n",
        "a.TSV": "text\tlabel\ncafé 中文\tpos\nbad\tneg\n",
        "A.JSONL": '{"text": "café 中文", "label": "pos"}\n{"text": "bad", "label": "neg"}\n',
    }[name]
    found, file = taken(written(tmp_path / name, content.encode(encoding)))
    assert (found.count, found.columns) == (2, ("text", "label"))
    assert texts_in(file) == ["café 中文", "bad"]
    assert bool(found.notes) == (not encoding.startswith("utf-8"))


def test_an_encoding_that_is_not_found_out_is_hinted_at_and_obeyed(tmp_path):
    path = written(tmp_path / "a.csv", "text,label\ncafé,pos\nbad,neg\n".encode("cp1252"))
    found, file = taken(path)
    assert texts_in(file) == ["caf�", "bad"]
    assert found.notes == (
        "1 lines are not UTF-8, from line 2 on: U+FFFD stands for what is not; if the file is of another "
        "encoding, say so with --encoding, such as cp1252",
    )
    assert texts_in(taken(path, encoding="cp1252")[1]) == ["café", "bad"]


def test_bytes_that_are_not_utf8_stay_as_they_are_when_a_file_is_written_anew(tmp_path):
    path = written(tmp_path / "a.csv", b"text;label\ncaf\xe9;pos\nbad;neg\n")
    _, file = taken(path)
    assert file.read_bytes() == b"text,label\ncaf\xe9,pos\nbad,neg\n"
    assert list(rows(file, "text")) == [Row("caf�", "not UTF-8"), Row("bad")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label\ngood,pos\n\nbad,neg\n"),
        ("a.tsv", '\ufefftext\tlabel\nsay "hi"\tpos\n'),
        ("a.jsonl", '{"text": "a"}\n\n{"text": "b"}\nno\n'),
    ],
)
def test_what_readers_know_as_it_is_keeps_its_bytes(name, content, tmp_path):
    path = written(tmp_path / name, content)
    _, file = taken(path)
    assert file.is_symlink()
    assert file.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.csv", "text,label\na,b\na,b,c\n", r"row 2 has 3 fields, and the first line 2; mend"),
        ("a.csv", 'text,label\n"a,b\n"c,d,e\n', r"a\.csv: .*quotation marks enclose fields"),
        ("a.csv", b"PK\x03\x04rest", "a zip file, such as a spreadsheet; save the sheet as CSV"),
        ("a.csv", b"PAR1rest", r"a Parquet file; name it \.parquet"),
        ("a.jsonl", b"\x1f\x8brest", "compressed; unpack it"),
        ("a.csv", "", "is empty; its first line names its columns"),
        ("a.parquet", "text", r"a\.parquet"),
    ],
)
def test_what_is_no_such_file_is_refused_in_one_sentence(name, content, text, tmp_path):
    with pytest.raises(BadInput, match=text) as refused:
        taken(written(tmp_path / name, content))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("writing", [{"delimiter": "ab"}, {"quoting": "some"}, {"encoding": "klingon"}])
def test_what_cannot_be_asked_for_is_refused(writing, tmp_path):
    with pytest.raises(BadInput, match=r"received|unknown encoding"):
        taken(written(tmp_path / "a.csv", "text\na\n"), **writing)


def test_a_tab_can_be_named(tmp_path):
    assert taken(written(tmp_path / "a.csv", "a\tb\n1\t2\n"), delimiter="tab")[0].columns == ("a", "b")


def test_a_job_in_a_folder_reads_the_same_and_logs_what_was_found_out(tmp_path, caplog):
    path = written(tmp_path / "A.CSV", "text;label\ngood, really;pos\nbad;neg\n".encode("utf-16"))
    with caplog.at_level(logging.WARNING), LocalContext(tmp_path / "job", {"own": path}) as context:
        assert texts_in(file_of("own", context)) == ["good, really", "bad"]
    assert "own: the file is UTF-16" in caplog.text


# 6: byte-order marks. That of specs is tested with the names.


def test_a_byte_order_mark_before_json_lines_costs_no_row(tmp_path):
    path = written(tmp_path / "a.jsonl", '\ufeff{"text": "first"}\n{"text": "second"}\n')
    found, file = taken(path)
    assert (found.columns, found.notes) == (("text",), ())
    assert list(rows(file, "text")) == [Row("first"), Row("second")]


def test_lines_that_are_no_json_are_counted_when_they_are_taken_in(tmp_path):
    found, _ = taken(written(tmp_path / "a.jsonl", '\ufeff\n{"text": ""}\nno\n \t\n[1]\n{"text": "a"}\n\n'))
    assert found.count == 7  # each line keeps its number
    assert found.notes == (
        "3 lines are blank and will be left out",
        "2 lines are not JSON objects and will be left out",
    )


def test_blank_lines_of_several_columns_are_told(tmp_path):
    found, _ = taken(written(tmp_path / "a.csv", "text,label\na,1\n\n\nb,2\n\n"))
    assert (found.count, found.notes) == (5, ("3 lines are blank and will be left out",))


# 7: missing values, and one label in several spellings.


def json_lines(path: Path, *values: Any) -> Path:
    return written(path, "".join(json.dumps(value) + "\n" for value in values))


def test_a_missing_value_is_no_text_and_no_class(tmp_path):
    nan = float("nan")
    path = json_lines(
        tmp_path / "a.jsonl",
        {"text": nan, "label": "x"},
        {"text": "a", "label": nan},
        {"text": None, "label": None},
        {"text": "b", "label": "x"},
        {"text": "c", "label": "y"},
    )
    table = pyarrow.table(
        {
            "text": pyarrow.array([None, "a", None, "b", "c"]),
            "label": pyarrow.array([1.0, nan, None, 1.0, 2.0]),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    for file, classes in ((path, ("x", "y")), (tmp_path / "a.parquet", ("1.0", "2.0"))):
        found = of_file(file, "a", "text", "label", "skip")
        assert found.texts == ["b", "c"]
        assert found.class_names == classes
        assert found.left_out == {"no text: null": 2, "no label": 1}
        with pytest.raises(BadInput, match="row 2 of 'a' has no label"):
            of_file(file, "a", "text", "label", "refuse")


def test_a_class_that_looks_like_a_missing_value_is_said(tmp_path):
    path = written(tmp_path / "a.csv", "text,label\na,nan\nb,x\nc,nan\n")
    found = of_file(path, "a", "text", "label", "refuse")
    assert found.notes == ("2 rows have the label 'nan', taken for a class: leave it empty if it is missing",)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([1, 1.0, True, 0, False, 0.0], ("0", "1")),
        ([1, 1.0, 2, 2.0], ("1", "2")),
        ([1.0, 2.0], ("1.0", "2.0")),  # as before: a model that was trained so has these names
        ([True, False], ("False", "True")),
        ([True, "true", "true", False], ("False", "true")),
        (["01", 1, "1"], ("01", "1")),
        (["cafe\u0301", "caf\xe9", "tea"], ("caf\xe9", "tea")),
        ([" a", "a ", "b"], ("a", "b")),
    ],
)
def test_one_label_in_several_spellings_is_one_class(labels, classes, tmp_path):
    values = [{"text": f"text {n}", "label": label} for n, label in enumerate(labels)]
    found = of_file(json_lines(tmp_path / "a.jsonl", *values), "a", "text", "label", "refuse")
    assert set(found.class_names) == set(classes)
    assert len(found.texts) == len(labels)
    if len({str(label).strip() for label in labels}) > len(classes):
        assert any("are the one class" in note for note in found.notes)


def test_numbers_beside_true_and_false_are_asked_about(tmp_path):
    values = [{"text": f"text {n}", "label": label} for n, label in enumerate((1, 2, True))]
    with pytest.raises(BadInput, match=r"labels are numbers \(1, 2\) as well as true and false"):
        of_file(json_lines(tmp_path / "a.jsonl", *values), "a", "text", "label", "refuse")


def test_a_model_is_asked_by_the_meaning_of_a_label(tmp_path):
    path = written(tmp_path / "a.csv", "text,label\na,1.0\nb,0.0\n")
    data = of_file(path, "a", "text", "label", "refuse")
    assert for_classes(data, "a", "refuse", ("0", "1")).labels.tolist() == [1, 0]


# 8: half of a character.


def test_half_an_emoji_stops_nothing_and_is_counted(tmp_path):
    half = r'{"text": "so funny \ud83d", "label": "joke \udc00"}'
    path = written(tmp_path / "a.jsonl", f'{half}\n{{"text": "\\ud83d\\ude00", "label": "x"}}\n')
    assert list(rows(path, "text")) == [Row("so funny �", "half a character"), Row("😀")]
    found = of_file(path, "a", "text", "label", "refuse")
    assert found.class_names == ("joke �", "x")
    assert found.notes == (
        "1 texts (half a character) have U+FFFD for what is not to be read",
        "1 labels (half a character) have U+FFFD for what is not to be read",
    )


def test_half_an_emoji_in_a_spec_stops_nothing_and_is_counted(tmp_path):
    spec = ClassifyTexts(model="job", texts=("so funny \ud83d", "plain"))
    assert spec.texts == ("so funny �", "plain")
    training = FineTune(texts=("so funny \ud83d", "plain"), labels=("a\ud83d", "b"))
    found = of_texts(training.texts, training.labels)
    assert found.texts == ["so funny �", "plain"]
    assert len(found.notes) == 2


def test_texts_that_are_not_utf8_are_counted_in_what_a_training_says(tmp_path):
    path = written(tmp_path / "a.csv", b"text,label\ncaf\xe9,x\nb,y\n")
    found = of_file(path, "a", "text", "label", "refuse")
    assert found.notes == ("1 texts (not UTF-8) have U+FFFD for what is not to be read",)
