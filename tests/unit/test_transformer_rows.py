import json

import pyarrow
import pytest
from pyarrow import parquet

from jobs.datasets.texts.rows import Row, blocks, rows
from jobs.errors import BadInput

LONG = "long " * 20_000
EXPECTED = [
    Row("I love programming."),
    Row(None, "empty"),
    Row(LONG),
    Row("caf� noir", "not UTF-8"),
    Row('two\nlines, and "quotes"'),
]
BYTES = [b"I love programming.", b"  ", LONG.encode(), b"caf\xe9 noir", b'two\nlines, and "quotes"']


def _quoted(text, quote=b'"'):
    return quote + text.replace(quote, quote + quote) + quote


def _write(path):
    if path.suffix in (".csv", ".tsv"):
        comma = b"," if path.suffix == ".csv" else b"\t"
        lines = [str(number).encode() + comma + _quoted(text) for number, text in enumerate(BYTES)]
        path.write_bytes(b"\n".join([b"id" + comma + b"text", *lines]) + b"\n")
    elif path.suffix == ".jsonl":
        lines = [json.dumps({"text": text.decode("latin-1")}, ensure_ascii=False) for text in BYTES]
        path.write_bytes(b"\n".join(line.encode("latin-1") for line in lines))
    else:
        column = pyarrow.array(BYTES, pyarrow.binary())
        text = pyarrow.Array.from_buffers(pyarrow.string(), len(column), column.buffers())
        parquet.write_table(pyarrow.table({"text": text}), path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_row_of_a_file_is_read_in_order_whatever_is_in_it(tmp_path, suffix):
    path = _write(tmp_path / f"texts{suffix}")

    assert list(rows(path, "text")) == EXPECTED


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_reading_goes_on_at_any_row(tmp_path, suffix):
    path = _write(tmp_path / f"texts{suffix}")

    assert list(blocks(path, "text", 2, first=2)) == [EXPECTED[2:4], EXPECTED[4:]]


def test_nothing_and_what_is_no_json_have_an_outcome(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_bytes(b'{"text": null}\n{"other": 1}\n{"text": 7}\nnonsense\n[1]\n\n{"text": "yes"}\n')

    found = list(rows(path, "text"))

    no = Row(None, "not JSON")
    assert found == [Row(None, "null"), Row(None, "null"), Row("7"), no, no, Row(None, "empty"), Row("yes")]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_missing_column_is_named(tmp_path, suffix):
    path = _write(tmp_path / f"texts{suffix}")

    with pytest.raises(BadInput, match="'review'"):
        list(rows(path, "review"))


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"texts\.doc is none of"):
        list(rows(tmp_path / "texts.doc", "text"))
