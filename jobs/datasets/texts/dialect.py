"""How a table of texts is written: encoding, delimiter and quotation marks, found out from its content."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, TextIO

from jobs.datasets.readable import one_line
from jobs.errors import BadInput

#: Whether quotation marks enclose fields (doubled inside), or are letters like any other.
Quoting = Literal["double", "none"]
#: Characters of one field: Python's reader of CSV refuses longer ones unless told otherwise.
LONGEST_FIELD = 2**27
#: What delimits the fields by a file's suffix, and what else is looked for.
USUAL = {".csv": ",", ".tsv": "\t"}
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
#: Rows that a delimiter has to part alike.
SAMPLE = 200
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HEAD = 4096
_SEPARATOR = re.compile('\ufeff?"?sep=([^"\r\n])"?[,;\t]*(?:[\r\n]|$)', re.IGNORECASE)
_SEPARATOR_LINE = 32  # characters: it is no longer


@dataclass(frozen=True)
class Dialect:
    """How to read a table.

    Attributes:
        encoding: of the file; bytes that are not of UTF-8 are kept as they are.
        delimiter: between two fields.
        quoting: what quotation marks are.
        rows: without the head.
        columns: in the head.
        marked: whether a field begins with a quotation mark.
        spans: fields that go on over several lines.
        blank: of the rows, how many are lines with nothing in them, where there are several columns.
        separator: the delimiter that a line before the head names, if there is one.
    """

    encoding: str
    delimiter: str
    quoting: Quoting
    rows: int
    columns: tuple[str, ...]
    marked: bool
    spans: int
    blank: int
    separator: str | None = None


@dataclass(frozen=True)
class Reading:
    """What a file comes to if quotation marks are taken one way; `fault` says where it does not fit."""

    rows: int
    blank: int  #: of these, how many lines of several columns have nothing in them
    fault: str
    spans: int  #: fields that go on in the next line
    open_ended: bool  #: such a field ends with a line, so that its last mark begins one
    clean: bool  #: every quotation mark that ends a field is followed by a delimiter


def encoding_of(path: Path) -> str:
    """The encoding by the file's first bytes: a mark, or the zeros that UTF-16 has between letters."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    for name, place in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros, others = head[place::2].count(0), head[1 - place :: 2].count(0)
        if zeros > len(head) // 6 and not others:
            return name
    return "utf-8"


def dialect_of(
    path: Path, encoding: str | None = None, delimiter: str | None = None, quoting: Quoting | None = None
) -> Dialect:
    """Finds out how a file is written; what is given is not looked for.

    Raises:
        BadInput: rows of different lengths, or two readings that are as good as each other: it is asked then.
    """
    encoding = encoding or encoding_of(path)
    separator = separator_of(path, encoding)
    delimiter = delimiter or separator or _delimiter(path, encoding)
    marked = _is_marked(path, encoding, delimiter)
    columns = _head(path, encoding, delimiter, quoting)
    if quoting is None and marked:
        quoting = _quoting(path, encoding, delimiter, columns)
    reading = _read(path, encoding, delimiter, quoting or "double", len(columns), strict=False)
    if reading.fault:
        raise BadInput(f"{path.name}: {reading.fault}; {_remedy(marked)}")
    if quoting == "none":
        columns = _head(path, encoding, delimiter, quoting)
    return Dialect(
        encoding,
        delimiter,
        quoting or "double",
        reading.rows,
        columns,
        marked,
        reading.spans,
        reading.blank,
        separator,
    )


@contextmanager
def opened(path: Path, encoding: str) -> Iterator[TextIO]:
    """A file as text; what is not of its encoding is kept (UTF-8) or becomes U+FFFD."""
    csv.field_size_limit(LONGEST_FIELD)
    with path.open(encoding=encoding, errors=undecodable(encoding), newline="") as file:
        # Excel reads a first line such as `sep=;`, and no column is called that.
        if path.suffix.lower() not in USUAL or not _SEPARATOR.match(file.readline(_SEPARATOR_LINE)):
            file.seek(0)
        yield file


def undecodable(encoding: str) -> str:
    """How Python treats what is not of the encoding: kept as it is (UTF-8), or U+FFFD in its place."""
    return "surrogateescape" if encoding.startswith("utf-8") else "replace"


def separator_of(path: Path, encoding: str) -> str | None:
    """The delimiter that a first line of `sep=;` names, which is no row; None if there is none."""
    with path.open(encoding=encoding, errors=undecodable(encoding), newline="") as file:
        found = _SEPARATOR.match(file.readline(_SEPARATOR_LINE))
    return found[1] if found else None


def fields(file: TextIO, delimiter: str, quoting: Quoting, strict: bool = False) -> Iterator[list[str]]:
    """The fields of every row, the head first."""
    if quoting == "none":
        return csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE, quotechar=None)
    return csv.reader(file, delimiter=delimiter, strict=strict)


def _head(path: Path, encoding: str, delimiter: str, quoting: Quoting | None) -> tuple[str, ...]:
    with opened(path, encoding) as file:
        for row in fields(file, delimiter, quoting or "double"):
            return tuple(row)
    raise BadInput(f"{path.name} is empty; its first line names its columns")


def _is_marked(path: Path, encoding: str, delimiter: str) -> bool:
    """Whether any field begins with a quotation mark: otherwise they mean nothing."""
    with opened(path, encoding) as file:
        return any(line.startswith('"') or f'{delimiter}"' in line for line in file)


def _delimiter(path: Path, encoding: str) -> str:
    usual = USUAL[path.suffix.lower()]
    with opened(path, encoding) as file:
        sample = list(islice(file, SAMPLE))
    parted = {mark: _lengths(sample, mark) for mark in DELIMITERS}
    if parted[usual] > 1:
        return usual
    found = [mark for mark in DELIMITERS if parted[mark] > 1]
    if len(found) > 1 and not _columns_in(sample, usual) > 1:
        names = " or ".join(DELIMITERS[mark] for mark in found)
        raise BadInput(
            f"{path.name} could be delimited by {names}; say which with --delimiter at the upload, such as "
            f"--delimiter '{found[0]}'"
        )
    return found[0] if len(found) == 1 else usual


def _lengths(sample: list[str], mark: str) -> int:
    """The number of columns if a delimiter gives all rows the same; else 0."""
    found = 0
    for quoting in ("double", "none"):
        try:
            rows = [
                len(row) for row in fields(io.StringIO("".join(sample), newline=""), mark, quoting) if row
            ]
        except csv.Error:
            continue
        if rows and (len(set(rows)) == 1 or (len(sample) == SAMPLE and len(set(rows[:-1])) == 1)):
            found = max(found, rows[0])
    return found


def _columns_in(sample: list[str], mark: str) -> int:
    return sample[0].count(mark) + 1 if sample else 0


def _quoting(path: Path, encoding: str, delimiter: str, columns: tuple[str, ...]) -> Quoting:
    """What quotation marks are, where a field begins with one."""
    strict = _read(path, encoding, delimiter, "double", len(columns), strict=True)
    plain_columns = len(_head(path, encoding, delimiter, "none"))
    plain = _read(path, encoding, delimiter, "none", plain_columns, strict=False)
    if strict.clean and not strict.fault:
        # In a file of one column every line is a row, whatever is in it.
        if plain.fault or len(columns) == 1 or plain.rows == strict.rows:
            return "double"
        # Commas are frequent in texts: parts of lines have as many fields as rows by chance.
        if delimiter == "," and not strict.open_ended:
            return "double"
        raise BadInput(_both(path, strict, plain))
    if not plain.fault and plain_columns == len(columns):
        if len(columns) > 1 and _encloses(path, encoding, delimiter):
            raise BadInput(_both(path, None, plain))
        return "none"
    loose = _read(path, encoding, delimiter, "double", len(columns), strict=False)
    if loose.fault or loose.spans:
        where = loose.fault or "a field with a quotation mark goes on over several lines"
        raise BadInput(f"{path.name}: {where}; {_remedy(marked=True)}")
    return "double"


def _read(path: Path, encoding: str, delimiter: str, quoting: Quoting, columns: int, strict: bool) -> Reading:
    rows, blank, spans, open_ended = -1, 0, 0, False
    try:
        with opened(path, encoding) as file:
            for row in fields(file, delimiter, quoting, strict):
                rows += 1
                # A blank line is a row whose fields are all empty; in a single column, an empty text.
                blank += not row and columns > 1
                if row and len(row) != columns:
                    wrong = f"row {rows} has {len(row)} fields, and the first line {columns}"
                    return Reading(rows, blank, wrong, spans, open_ended, True)
                for text in row:
                    if "\n" in text or "\r" in text:
                        spans += 1
                        open_ended = open_ended or text[-1] in f"\r\n{delimiter}"
    except csv.Error as error:
        return Reading(rows, blank, f"row {rows + 1}: {error}", spans, open_ended, False)
    return Reading(rows, blank, "", spans, open_ended, True)


def _encloses(path: Path, encoding: str, delimiter: str) -> bool:
    """Whether a column has enclosed fields and none that merely begins with a quotation mark."""
    whole: set[int] = set()
    broken: set[int] = set()
    with opened(path, encoding) as file:
        for row in fields(file, delimiter, "none"):
            for column, text in enumerate(row):
                if text.startswith('"'):
                    inside = text[1:-1].replace('""', "")
                    enclosed = len(text) > 1 and text.endswith('"') and '"' not in inside
                    (whole if enclosed else broken).add(column)
    return bool(whole - broken)


def _both(path: Path, strict: Reading | None, plain: Reading) -> str:
    enclosed = f"has {strict.rows} rows" if strict else "has some that are not closed"
    return (
        f"{path.name} begins fields with quotation marks: if they enclose fields it {enclosed}, if they are "
        f"part of the texts it has {plain.rows}; say which at the upload, with --quoting double or "
        "--quoting none"
    )


def _remedy(marked: bool) -> str:
    quoting = "whether quotation marks enclose fields with --quoting double or none, and " if marked else ""
    return f"mend the row, or say at the upload {quoting}what delimits them with --delimiter"


def said(dialect: Dialect, suffix: str) -> list[str]:
    """What was found out that a file's name does not say."""
    notes = []
    if dialect.encoding not in ("utf-8", "utf-8-sig"):
        notes.append(f"the file is {dialect.encoding.upper()}")
    if dialect.delimiter != USUAL[suffix.lower()]:
        name = DELIMITERS.get(dialect.delimiter, repr(dialect.delimiter))
        notes.append(f"its {len(dialect.columns)} columns are delimited by {name}")
    if dialect.separator is not None:
        notes.append("its first line names the delimiter and is no row")
    if dialect.marked and dialect.quoting == "none":
        notes.append("quotation marks are part of the texts: not all that begin a field are closed")
    if dialect.marked and dialect.quoting == "double" and suffix.lower() == ".tsv":
        notes.append("quotation marks around fields were taken off")
    if dialect.spans:
        notes.append(f"{dialect.spans} fields in quotation marks go on over several lines")
    if dialect.blank:
        notes.append(f"{dialect.blank} lines are blank and will be left out")
    if len(set(dialect.columns)) < len(dialect.columns):
        notes.append(f"several columns have one name: {one_line(', '.join(dialect.columns), 200)}")
    return notes
