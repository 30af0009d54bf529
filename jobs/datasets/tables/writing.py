"""Tables as results: in shards while a job goes on, then as one file, the same however they were cut."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow
import pyarrow.compute
from pyarrow import parquet

from jobs.datasets.tables.table import Table

Array = np.ndarray[Any, Any]

#: Rows of a group in the Parquet file that people get, and rows that are held in memory.
GROUP = 65_536
_SPECIAL = r'[,"\r\n]'

Kind = Literal["text", "time", "number", "flag"]


@dataclass(frozen=True)
class Layout:
    """The columns of a result.

    Attributes:
        table: whose calendar tells how times are written.
        columns: names and kinds; times are microseconds since 1970, numbers float64 with NaN where one is
            missing, flags booleans.
    """

    table: Table
    columns: tuple[tuple[str, Kind], ...]

    @classmethod
    def of(cls, table: Table, more: Sequence[tuple[str, Kind]] = ()) -> "Layout":
        """The columns of a table (series if there is one, time, numbers) and some more.

        A name that the table has already is followed by `_`, as often as need be.
        """
        columns: list[tuple[str, Kind]] = [(table.series_column, "text")] if table.series_column else []
        columns += [(table.calendar.column, "time"), *((name, "number") for name in table.columns)]
        for name, kind in more:
            taken = {each for each, _ in columns}
            while name in taken:
                name += "_"
            columns.append((name, kind))
        return cls(table, tuple(columns))

    @property
    def schema(self) -> Any:
        """Of the Parquet file; with a zone, times are moments, else what the clock on the wall shows."""
        time = pyarrow.timestamp("us", tz=self.table.calendar.zone or None)
        types = {
            "text": pyarrow.string(),
            "time": time,
            "number": pyarrow.float64(),
            "flag": pyarrow.bool_(),
        }
        return pyarrow.schema([(name, types[kind]) for name, kind in self.columns])


class TableShard:
    """A file of consecutive rows of a result.

    Args:
        path: where it is written, as Parquet.
        layout: of the result.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self._layout, self._schema = layout, layout.schema
        self._writer = parquet.ParquetWriter(path, self._schema)
        self._held: list[list[Any]] = []
        self._rows = 0

    def add(self, *columns: Array | Sequence[Any]) -> None:
        """Writes some rows more.

        Args:
            columns: one for each of the layout, in its order: texts, int64 microseconds, float64, booleans.
        """
        self._held.append(
            [
                _column(cells, kind, field.type)
                for cells, (_, kind), field in zip(columns, self._layout.columns, self._schema, strict=True)
            ]
        )
        self._rows += len(columns[0])
        if self._rows >= GROUP:
            self._write()

    def close(self) -> None:
        """Ends the file."""
        if self._held:
            self._write()
        self._writer.close()

    def _write(self) -> None:
        # Rows of many short series together: a group of each would be mostly headings.
        columns = [pyarrow.concat_arrays(parts) for parts in zip(*self._held, strict=True)]
        self._writer.write_table(pyarrow.Table.from_arrays(columns, schema=self._schema))
        self._held, self._rows = [], 0


def _column(cells: Array | Sequence[Any], kind: Kind, type_: Any) -> Any:
    if kind == "number":
        return pyarrow.array(np.ascontiguousarray(cells, np.float64), type_, from_pandas=True)
    if kind == "time":
        return pyarrow.array(np.ascontiguousarray(cells, np.int64)).cast(type_)
    return pyarrow.array(cells, type_)


def assemble(shards: Sequence[Path], path: Path, layout: Layout, columns: Sequence[int] | None = None) -> int:
    """Writes the rows of all shards as one file, Parquet or CSV by its suffix, in bounded memory.

    Args:
        shards: in order.
        path: of the file.
        layout: of the shards.
        columns: those of the layout that are wanted; None for all.

    Returns:
        How many rows there are.
    """
    if columns is not None:
        layout = Layout(layout.table, tuple(layout.columns[number] for number in columns))
    rows = 0
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(_line(name for name, _ in layout.columns))
            for table in _groups(shards, layout):
                file.write(_lines(table, layout))
                rows += len(table)
        return rows
    with parquet.ParquetWriter(path, layout.schema) as writer:
        for table in _groups(shards, layout):
            writer.write_table(table)
            rows += len(table)
    return rows


def _groups(shards: Sequence[Path], layout: Layout) -> Iterator[Any]:
    """Tables of `GROUP` rows each, and a last one of what is left."""
    held, rows = [layout.schema.empty_table()], 0
    for shard in shards:
        with parquet.ParquetFile(shard) as file:
            for batch in file.iter_batches(GROUP, columns=[name for name, _ in layout.columns]):
                held.append(pyarrow.Table.from_batches([batch]))
                rows += len(batch)
                if rows >= GROUP:
                    table = pyarrow.concat_tables(held)
                    yield table[:GROUP].combine_chunks()
                    held, rows = [table[GROUP:]], rows - GROUP
    if rows:
        yield pyarrow.concat_tables(held).combine_chunks()


def _line(cells: Iterable[str]) -> str:
    return ",".join(_quoted(pyarrow.array(list(cells), pyarrow.string())).to_pylist()) + "\n"


def _lines(table: Any, layout: Layout) -> str:
    """Rows as CSV: a missing number is an empty cell, and each number has all its digits."""
    columns = []
    for number, (_, kind) in enumerate(layout.columns):
        column = table.column(number).combine_chunks()
        if kind == "time":
            texts = layout.table.calendar.texts(column.cast(pyarrow.int64()).to_numpy())
            column = _quoted(pyarrow.array(texts, pyarrow.string()))
        elif kind == "text":
            column = _quoted(column)
        else:
            column = column.cast(pyarrow.string())
        columns.append(column)
    lines = pyarrow.compute.binary_join_element_wise(
        *columns, ",", null_handling="replace", null_replacement=""
    )
    return "\n".join(lines.to_pylist()) + "\n"


def _quoted(texts: Any) -> Any:
    """Texts of CSV: those with a comma, a quotation mark or an end of line in quotation marks."""
    special = pyarrow.compute.match_substring_regex(texts, _SPECIAL)
    doubled = pyarrow.compute.replace_substring(texts, '"', '""')
    enclosed = pyarrow.compute.binary_join_element_wise('"', doubled, '"', "")
    return pyarrow.compute.if_else(special, enclosed, texts)
