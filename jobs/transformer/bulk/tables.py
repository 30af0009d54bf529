"""Tables as results: of shards one file, the same however they were cut, in bounded memory."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute
from pyarrow import csv, parquet

#: Rows of a group in the Parquet file that people get. It is the same however the shards were cut.
GROUP = 65_536


def assemble(shards: Sequence[Path], path: Path, schema: Any) -> None:
    """Writes all rows as one file in bounded memory: Parquet, CSV or JSON lines by its suffix."""
    if path.suffix == ".jsonl":
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for table in _groups(shards, schema):
                file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in table.to_pylist())
        return
    is_csv = path.suffix == ".csv"
    with (csv.CSVWriter if is_csv else parquet.ParquetWriter)(path, schema) as writer:
        for table in _groups(shards, schema):
            writer.write_table(table)


def counts_of(shards: Sequence[Path], column: str) -> Counter[str | None]:
    """How many rows have each value of a column."""
    counts: Counter[str | None] = Counter()
    for shard in shards:
        with parquet.ParquetFile(shard) as file:
            for batch in file.iter_batches(GROUP, columns=[column]):
                for found in pyarrow.compute.value_counts(batch.column(0)).to_pylist():
                    counts[found["values"]] += found["counts"]
    return counts


def _groups(shards: Sequence[Path], schema: pyarrow.Schema) -> Iterator[Any]:
    """Tables of `GROUP` rows each, and a last one of what is left."""
    held, rows = [schema.empty_table()], 0
    for shard in shards:
        with parquet.ParquetFile(shard) as file:
            for batch in file.iter_batches(GROUP):
                held.append(pyarrow.Table.from_batches([batch]))
                rows += len(batch)
                if rows >= GROUP:
                    table = pyarrow.concat_tables(held)
                    yield table[:GROUP].combine_chunks()
                    held, rows = [table[GROUP:]], rows - GROUP
    if rows:
        yield pyarrow.concat_tables(held).combine_chunks()
