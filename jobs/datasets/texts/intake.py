"""Takes in a file of texts: as it is where readers know it as that, else written anew as UTF-8 CSV."""

import codecs
import csv
from dataclasses import dataclass
from pathlib import Path

from jobs.datasets.readable import REPLACEMENT
from jobs.datasets.texts import dialect as dialects
from jobs.datasets.texts.dialect import USUAL, Dialect, Quoting, dialect_of, encoding_of, opened
from jobs.datasets.texts.rows import unused_lines
from jobs.datasets.texts.sets import FORMATS, columns_of, count_of
from jobs.errors import BadInput

#: Marks at the beginning of files that are no table, whatever they are called.
_OTHERS = {
    b"PK\x03\x04": "a zip file, such as a spreadsheet; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "a workbook of Excel; save the sheet as CSV",
    b"PAR1": "a Parquet file; name it .parquet",
    b"\x1f\x8b": "compressed; unpack it",
}


@dataclass(frozen=True)
class Taken:
    """A file of texts that was taken in.

    Attributes:
        columns: its columns; of JSON lines, the fields of the first line.
        count: rows; a blank line, or one of JSON without an object, is one of them.
        notes: what was found out, guessed or changed, in numbers.
    """

    columns: tuple[str, ...]
    count: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Writing:
    """How a person says that a file is written; None where it is to be found out."""

    delimiter: str | None = None
    quoting: Quoting | None = None
    encoding: str | None = None

    def checked(self) -> "Writing":
        """The same as readers take it: `tab` is one character, UTF-8 may begin with a mark.

        Raises:
            BadInput: not one character, another quoting, or an encoding that Python does not know.
        """
        delimiter = "\t" if self.delimiter in ("tab", r"\t") else self.delimiter
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
            raise BadInput(
                f"a delimiter is one character, such as ';', or 'tab'; received {self.delimiter!r}"
            )
        if self.quoting not in (None, "double", "none"):
            raise BadInput(f"quoting is 'double' or 'none', received {self.quoting!r}")
        try:
            encoding = codecs.lookup(self.encoding).name if self.encoding else None
        except LookupError:
            raise BadInput(
                f"unknown encoding {self.encoding!r}: such as utf-8, utf-16, cp1252 or latin-1"
            ) from None
        return Writing(delimiter, self.quoting, "utf-8-sig" if encoding == "utf-8" else encoding)


def take(path: Path, folder: Path, writing: Writing = Writing()) -> Taken:
    """Puts a file of texts into an empty folder, in the form that readers know.

    A file that is in this form already is linked, so that its bytes, and their digest, stay what they are.

    Args:
        path: a CSV, TSV, JSON lines or Parquet file; its suffix may be in capitals.
        folder: where it goes, as `texts.csv` or such.
        writing: how it is written, where that is not to be found out.

    Raises:
        BadInput: it is no such file, or what it is has to be asked for.
    """
    writing = writing.checked()
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise BadInput(f"{path.name} is none of {', '.join(FORMATS)}; save it as one of these")
    try:
        _check_marks(path, suffix)
        if suffix in USUAL:
            return _take_table(path, folder, suffix, writing)
        if suffix == ".jsonl":
            return _take_lines(path, folder, writing)
    except (UnicodeError, csv.Error) as error:
        raise BadInput(f"{path.name} cannot be read as {suffix}: {error}") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be opened ({error.strerror}); make it readable") from error
    target = _linked(path, folder / f"texts{suffix}")
    return Taken(_columns(target, path), count_of(target), ())


def _check_marks(path: Path, suffix: str) -> None:
    with path.open("rb") as file:
        head = file.read(8)
    for mark, what in _OTHERS.items():
        if head.startswith(mark) and not (suffix == ".parquet" and mark == b"PAR1"):
            raise BadInput(f"{path.name} is {what}")


def _take_table(path: Path, folder: Path, suffix: str, writing: Writing) -> Taken:
    found = dialect_of(path, writing.encoding, writing.delimiter, writing.quoting)
    notes = dialects.said(found, suffix)
    if _is_usual(found, suffix):
        target = _linked(path, folder / f"texts{suffix}")
    else:
        target, lost = _written(path, folder / "texts.csv", found)
        notes.append("it is kept as UTF-8, delimited by commas")
        if lost:
            notes.append(f"{lost} rows are not all {found.encoding.upper()}: U+FFFD stands for what is not")
    columns = _columns(target, path)
    # The first column alone: whether a row is UTF-8 is told by its bytes, whatever the column.
    return Taken(columns, found.rows, (*notes, *_of_bytes(target, columns, found.encoding)))


def _is_usual(found: Dialect, suffix: str) -> bool:
    return (
        found.encoding in ("utf-8", "utf-8-sig")
        and found.delimiter == USUAL[suffix]
        and found.separator is None
        and (found.quoting == "double" or not found.marked)
    )


def _written(path: Path, target: Path, found: Dialect) -> tuple[Path, int]:
    """The file written anew, and the number of rows that could not be decoded."""
    lost = 0
    with (
        opened(path, found.encoding) as source,
        target.open("w", encoding="utf-8", errors=dialects.undecodable(found.encoding), newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        for row in dialects.fields(source, found.delimiter, found.quoting):
            writer.writerow(row or [""] * len(found.columns))
            lost += any(REPLACEMENT in text for text in row)
    return target, lost


def _of_bytes(target: Path, columns: tuple[str, ...], encoding: str) -> list[str]:
    """Rows that are not UTF-8: a file in another encoding looks like this."""
    if encoding not in ("utf-8", "utf-8-sig"):
        return []
    bad, letters, first = 0, 0, 0
    with target.open("rb") as file:
        for number, line in enumerate(file):
            try:
                letters += not line.isascii() and bool(line.decode())
            except UnicodeDecodeError:
                bad += 1
                first = first or number + 1
    if not bad:
        return []
    guess = "" if letters else "; if the file is of another encoding, say so with --encoding, such as cp1252"
    return [f"{bad} lines are not UTF-8, from line {first} on: U+FFFD stands for what is not{guess}"]


def _take_lines(path: Path, folder: Path, writing: Writing) -> Taken:
    encoding = writing.encoding or encoding_of(path)
    target = folder / "texts.jsonl"
    notes = []
    if encoding in ("utf-8", "utf-8-sig"):
        _linked(path, target)
    else:
        with opened(path, encoding) as source, target.open("w", encoding="utf-8", newline="") as file:
            file.writelines(source)
        notes.append(f"the file is {encoding.upper()}; it is kept as UTF-8")
    columns = _columns(target, path)
    unused = unused_lines(target)
    for remark, what in (("empty", "blank"), ("not JSON", "not JSON objects")):
        if count := unused[remark]:
            notes.append(f"{count} lines are {what} and will be left out")
    return Taken(columns, count_of(target), tuple(notes))


def _columns(target: Path, path: Path) -> tuple[str, ...]:
    try:
        return columns_of(target)
    except BadInput as error:  # by the name that the person knows
        raise BadInput(str(error).replace(target.name, path.name)) from error


def _linked(path: Path, target: Path) -> Path:
    target.symlink_to(path.absolute())
    return target
