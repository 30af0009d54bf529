"""The cells of a file, column by column, whether it is of texts or Parquet."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from jobs.datasets.tables.coded import Coded
from jobs.datasets.tables.column import Numbers
from jobs.datasets.texts.sets import LONGEST_FIELD
from jobs.errors import BadInput

Array = np.ndarray[Any, Any]

_BLOCK = 65_536
_DELIMITERS = (",", ";", "\t", "|")


@dataclass
class Cells:
    """What a file holds.

    Attributes:
        numbers: the columns other than those of times and series.
        times: of every row, as they are written.
        series: the name of every row's series; without a row if no column tells.
        rows: the number that people give to each row: in a text file the first is 2, after the line of
            names, and an empty line counts.
    """

    numbers: list[Numbers]
    times: Coded
    series: Coded
    rows: Array


def names_of(path: Path) -> tuple[str, ...]:
    """The names of a file's columns.

    Raises:
        BadInput: it cannot be read, or two columns have the same name.
    """
    names = _names_in(path)
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise BadInput(f"{path.name} has several columns named {doubled[0]!r}: rename them")
    if len(names) < 2:
        raise BadInput(
            f"{path.name} has a single column, {''.join(names)!r}: a table has one of times, and one of "
            "numbers at least"
        )
    return names


def _names_in(path: Path) -> tuple[str, ...]:
    names = _parquet(path).schema_arrow.names if path.suffix.lower() == ".parquet" else next(_lines(path), [])
    return tuple(name.strip() for name in names)


def read_cells(path: Path, time: str, series: str | None) -> Cells:
    """Reads a file.

    Args:
        path: `.csv`, `.tsv` or `.parquet`.
        time: the column of times.
        series: the column that tells which series a row belongs to.

    Raises:
        BadInput: it cannot be read; the sentence names the row.
    """
    names = names_of(path)
    numbers = [Numbers(name) for name in names if name not in (time, series)]
    found = Cells(numbers, Coded(), Coded(), np.zeros(0, np.int64))
    blocks, comma = (
        (_parquet_blocks(path, names, (time, series)), False)
        if path.suffix.lower() == ".parquet"
        else (_text_blocks(path, names), delimiter_of(path) != ",")
    )
    all_rows = []
    for rows, columns in blocks:
        by_name = dict(zip(names, columns, strict=True))
        for column in numbers:
            column.add(by_name[column.name], rows, comma)
        found.times.add(by_name[time])
        if series is not None:
            found.series.add(by_name[series])
        all_rows.append(rows)
    if not len(found.times):
        raise BadInput(f"{path.name} has no row")
    found.rows = np.concatenate(all_rows)
    return found


def first_rows(path: Path, rows: int) -> tuple[tuple[str, ...], list[list[str]]]:
    """The names of a file's columns, of which several may be the same, and the first cells of each.

    Raises:
        BadInput: it cannot be read.
    """
    names = _names_in(path)
    if path.suffix.lower() == ".parquet":
        batch = next(_parquet(path).iter_batches(batch_size=rows), None)
        return names, [[] if batch is None else _texts(batch.column(n)) for n in range(len(names))]
    lines = [line for line in islice(_lines(path), 1, rows + 1) if any(cell.strip() for cell in line)]
    if any(len(line) != len(names) for line in lines):
        raise BadInput(f"{path.name}: not all rows have {len(names)} cells")
    return names, [list(column) for column in zip(*lines, strict=True)] or [[] for _ in names]


def delimiter_of(path: Path) -> str:
    """What parts the columns: of `, ; tab |` the one that the line of names has most of."""
    with _opened(path) as file:
        line = file.readline()
    return max(_DELIMITERS, key=line.count)


def _text_blocks(path: Path, names: Sequence[str]) -> Iterator[tuple[Array, list[list[str] | Array]]]:
    """Rows by their numbers, and their cells by column."""
    lines = _lines(path)
    next(lines)
    block: list[list[str]] = []
    rows: list[int] = []
    for number, line in enumerate(lines, start=2):
        if not any(cell.strip() for cell in line):
            continue  # an empty line, as at the end of many files
        if len(line) != len(names):
            raise BadInput(
                f"{path.name}, row {number}: {len(line)} cells where there are {len(names)} columns"
            )
        block.append(line)
        rows.append(number)
        if len(block) == _BLOCK:
            yield np.array(rows, np.int64), [list(column) for column in zip(*block, strict=True)]
            block, rows = [], []
    if block:
        yield np.array(rows, np.int64), [list(column) for column in zip(*block, strict=True)]


def _lines(path: Path) -> Iterator[list[str]]:
    csv.field_size_limit(LONGEST_FIELD)
    try:
        delimiter = delimiter_of(path)
        with _opened(path) as file:
            yield from csv.reader(file, delimiter=delimiter)
    except UnicodeError as error:
        raise BadInput(f"{path.name} cannot be read as a table: {error}; save it as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise BadInput(f"{path.name} cannot be read as a table: {error}") from error


def _opened(path: Path) -> Any:
    with path.open("rb") as file:
        mark = file.read(2)
    encoding = "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return path.open(encoding=encoding, newline="")


def _parquet(path: Path) -> Any:
    try:
        from pyarrow import lib, parquet
    except ImportError:  # a client alone does not bring it
        raise BadInput(
            "a Parquet file is read with the package pyarrow, which is not installed here: pip install "
            "pyarrow, or give the table as .csv"
        ) from None
    try:
        return parquet.ParquetFile(path)
    except (OSError, lib.ArrowException) as error:
        raise BadInput(f"{path.name} cannot be read as Parquet: {error}") from error


def _parquet_blocks(
    path: Path, names: Sequence[str], texts: tuple[str | None, ...]
) -> Iterator[tuple[Array, list[list[str] | Array]]]:
    """Rows by their numbers, and columns of numbers as such, but for those that are wanted as texts."""
    first = 1
    for batch in _parquet(path).iter_batches(batch_size=_BLOCK):
        columns = [batch.column(number) for number in range(len(names))]
        yield (
            np.arange(first, first + batch.num_rows),
            [
                _texts(column) if name in texts or not _is_numeric(column) else _numbers(column)
                for name, column in zip(names, columns, strict=True)
            ],
        )
        first += batch.num_rows


def zone_in(path: Path, column: str) -> str | None:
    """The zone that a Parquet file itself gives the times of a column."""
    if path.suffix.lower() != ".parquet":
        return None
    return getattr(_parquet(path).schema_arrow.field(column).type, "tz", None)


def _is_numeric(column: Any) -> bool:
    from pyarrow import types

    return bool(
        types.is_integer(column.type) or types.is_floating(column.type) or types.is_decimal(column.type)
    )


def _numbers(column: Any) -> Array:
    numbers: Array = column.cast("float64", safe=False).to_numpy(zero_copy_only=False)
    return numbers


def _texts(column: Any) -> list[str]:
    """Of times, ISO 8601; of what is missing, an empty text."""
    from pyarrow import types

    if types.is_timestamp(column.type):
        import pyarrow

        column = column.cast(pyarrow.timestamp("us", column.type.tz), safe=False)
    return ["" if value is None else str(value) for value in column.to_pylist()]
