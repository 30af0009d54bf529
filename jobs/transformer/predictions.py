"""The table of a classification: in shards while it goes on, then as one file."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
from pyarrow import csv, parquet

from jobs.pretrained.tokens import Array
from jobs.transformer.bulk.windows import Window
from jobs.transformer.judging.scores import probabilities_of

#: Rows of a group in the Parquet file that people get. It is the same however the shards were cut.
GROUP = 65_536


def schema_of(class_names: Sequence[str]) -> pyarrow.Schema:
    """Columns `row`, `text`, `label`, `probability_<class>` for each class, and `remark`."""
    return pyarrow.schema(
        [
            ("row", pyarrow.int64()),
            ("text", pyarrow.string()),
            ("label", pyarrow.string()),
            *((f"probability_{name}", pyarrow.float32()) for name in class_names),
            ("remark", pyarrow.string()),
        ]
    )


class PredictionShard:
    """A Parquet file of consecutive rows.

    Args:
        path: where it is written.
        class_names: by number.
    """

    def __init__(self, path: Path, class_names: Sequence[str]) -> None:
        self._schema = schema_of(class_names)
        self._names = pyarrow.array(class_names, pyarrow.string())
        self._writer = parquet.ParquetWriter(path, self._schema)

    def add(self, window: Window, logits: Array) -> None:
        """Writes the rows of a window.

        Args:
            window: the next rows.
            logits: float32 (rows, classes), NaN where there is no text.
        """
        there = ~np.isnan(logits[:, 0])
        probabilities = np.zeros(logits.shape, np.float32)
        labels = np.zeros(len(logits), np.int32)
        if there.any():
            probabilities[there] = probabilities_of(logits[there])
            labels[there] = logits[there].argmax(axis=1)
        columns = [
            pyarrow.array(np.arange(window.first, window.end)),
            pyarrow.array(window.texts, pyarrow.string()),
            self._names.take(pyarrow.array(labels, mask=~there)),
            *(pyarrow.array(column, mask=~there) for column in np.ascontiguousarray(probabilities.T)),
            pyarrow.array(window.remarks, pyarrow.string()),
        ]
        self._writer.write_table(pyarrow.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()


def assemble(shards: Sequence[Path], path: Path, class_names: Sequence[str]) -> None:
    """Writes the rows of all shards as one file, Parquet or CSV by its suffix, in bounded memory."""
    schema = schema_of(class_names)
    is_csv = path.suffix == ".csv"
    with (csv.CSVWriter if is_csv else parquet.ParquetWriter)(path, schema) as writer:
        for table in _groups(shards, schema):
            writer.write_table(table)


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


def counts_of(shards: Sequence[Path], column: str) -> Counter[str | None]:
    """How many rows have each value of a column."""
    counts: Counter[str | None] = Counter()
    for shard in shards:
        with parquet.ParquetFile(shard) as file:
            for batch in file.iter_batches(GROUP, columns=[column]):
                for found in pyarrow.compute.value_counts(batch.column(0)).to_pylist():
                    counts[found["values"]] += found["counts"]
    return counts


def labels_in(shards: Sequence[Path]) -> list[str | None]:
    """The label of each row, in order; None for a row without a text."""
    return [label for shard in shards for label in parquet.read_table(shard)["label"].to_pylist()]
