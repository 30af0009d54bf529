"""Reads the texts of a file of any size, in order and in bounded memory; no row stops the reading."""

import codecs
import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from jobs.datasets.readable import REPLACEMENT, without_halves
from jobs.errors import BadInput

#: Bytes of a CSV file that are parsed at once; no row may be longer.
CSV_BLOCK = 8 * 2**20
#: Rows that are read at once from Parquet and handed out as Python objects.
READ_ROWS = 4096
#: What there is to say of a text in which U+FFFD took the place of half a character.
HALVED = "half a character"
#: What there is to say where a list or an object stands in place of a text.
NESTED = "a list or an object"
FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")


@dataclass(frozen=True)
class Row:
    """A text as it can be classified.

    Attributes:
        text: None if there is nothing to classify.
        remark: what to know about it: `null`, `empty`, `not UTF-8`, `not JSON`, `half a character`,
            `a list or an object`; empty for an ordinary text.
    """

    text: str | None
    remark: str = ""


def rows(path: Path, column: str, name: str | None = None) -> Iterator[Row]:
    """Yields every row of a CSV, TSV, JSON lines or Parquet file, told apart by its suffix.

    A text that is not UTF-8 is classified with U+FFFD in place of what cannot be decoded. White space alone
    counts as empty.

    Args:
        path: the file.
        column: whose texts are wanted.
        name: what a person calls the file, for errors; by default its own name.

    Raises:
        BadInput: another suffix, no such column, or a file that is not what its suffix says.
    """
    readers = {".csv": _csv, ".tsv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}
    reader, name = readers.get(path.suffix), name or path.name
    if reader is None:
        raise BadInput(f"{name} is none of {', '.join(FORMATS)}; save it as one of these")
    yield from reader(path, column, name)


def blocks(path: Path, column: str, size: int, first: int = 0) -> Iterator[list[Row]]:
    """Yields the rows in lists of `size`, from row `first` on, which begins a list."""
    found = islice(rows(path, column), first, None)
    while block := list(islice(found, size)):
        yield block


def row_of(value: object) -> Row:
    """The row of what a file has in its column: bytes, text, a number, or None."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Row(None, "null")
    if isinstance(value, list | dict):  # what Python would write of it is no text that anybody wrote
        return Row(None, NESTED)
    if not isinstance(value, bytes):
        # JSON may name half of a character, which nothing that reads texts takes.
        text, halves = without_halves(str(value))
        return _judged(text, HALVED if halves else "")
    try:
        return _judged(value.decode(), "")
    except UnicodeDecodeError:
        return _judged(value.decode(errors="replace"), "not UTF-8")


def row_of_spec(text: str) -> Row:
    """The row of a text of a spec, which has U+FFFD already where half a character was."""
    row = row_of(text)
    return Row(row.text, HALVED) if REPLACEMENT in text and row.text else row


def _judged(text: str, remark: str) -> Row:
    return Row(text, remark) if text.strip() else Row(None, "empty")


def _csv(path: Path, column: str, name: str) -> Iterator[Row]:
    import pyarrow
    from pyarrow import csv

    try:
        reader = csv.open_csv(
            path,
            read_options=csv.ReadOptions(block_size=CSV_BLOCK, use_threads=False),
            parse_options=csv.ParseOptions(
                delimiter="\t" if path.suffix == ".tsv" else ",",
                newlines_in_values=True,
                # In a file of one column an empty line is an empty text; each row keeps its number.
                ignore_empty_lines=False,
            ),
            # Bytes: text would be checked to be UTF-8 by the block, and one row would fail them all.
            convert_options=csv.ConvertOptions(
                column_types={column: pyarrow.binary()},
                include_columns=[column],
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
        for batch in reader:
            yield from map(row_of, batch.column(0).to_pylist())
    except (pyarrow.ArrowException, KeyError, OSError, UnicodeError) as error:
        raise BadInput(
            f"{name} cannot be read: {error}; it needs a first line with a column {column!r}, and "
            f"as many fields in each line as there, of at most {CSV_BLOCK:,} bytes"
        ) from error


def _json_lines(path: Path, column: str, name: str) -> Iterator[Row]:
    lines = found = 0
    with path.open("rb") as file:
        for line in file:
            lines += 1
            line = line.removeprefix(codecs.BOM_UTF8) if lines == 1 else line
            row, present = _json_row(line, column)
            found += present
            yield row
    if lines and not found:
        raise BadInput(f"no line of {name} has a field {column!r}; name the field that holds the text")


def unused_lines(path: Path) -> Counter[str]:
    """How many lines of a JSON lines file hold no object, by their remark: `empty` or `not JSON`."""
    found: Counter[str] = Counter()
    with path.open("rb") as file:
        for number, line in enumerate(file):
            row, fields = _json_fields(line if number else line.removeprefix(codecs.BOM_UTF8))
            found[row.remark] += fields is None
    return +found


def _json_row(line: bytes, column: str) -> tuple[Row, bool]:
    decoded, fields = _json_fields(line)
    if fields is None:
        return decoded, False
    row = row_of(fields.get(column))
    remark = ", ".join(filter(None, (decoded.remark, row.remark))) if row.text else row.remark
    return Row(row.text, remark or decoded.remark), column in fields


def _json_fields(line: bytes) -> tuple[Row, dict[str, Any] | None]:
    """A line as a row, and the object in it; None if there is none, which the row remarks."""
    decoded = row_of(line)
    if decoded.text is None:
        return decoded, None
    try:
        # Control characters inside a text are allowed: what cannot be decoded must not be lost twice.
        fields = json.loads(decoded.text, strict=False)
    except (ValueError, RecursionError):
        fields = None
    return (decoded, fields) if isinstance(fields, dict) else (Row(None, "not JSON"), None)


def _parquet(path: Path, column: str, name: str) -> Iterator[Row]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            if column not in file.schema_arrow.names:
                names = ", ".join(file.schema_arrow.names)
                raise BadInput(f"{name} has no column {column!r}; its columns are {names}")
            missing = file.metadata.num_rows
            for batch in file.iter_batches(READ_ROWS, columns=[column]):
                missing -= len(batch)
                yield from map(row_of, _as_bytes(batch.column(0)).to_pylist())
        if missing:
            raise BadInput(
                f"{name} is damaged: it says that it has {missing:,} rows more than are in its column "
                f"{column!r}; save it again"
            )
    except (pyarrow.ArrowException, OSError) as error:
        raise BadInput(f"{name} is no Parquet file that can be read: {error}") from error


def _as_bytes(values: Any) -> Any:
    """Text as the bytes that the file has: Arrow does not check them, and Python would refuse bad ones."""
    import pyarrow

    if pyarrow.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pyarrow.types.is_string(values.type) or pyarrow.types.is_large_string(values.type):
        return values.cast(pyarrow.large_binary())
    return values
