"""The table of a classification: in shards while it goes on, then as one file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

from jobs.pretrained.tokens import Array
from jobs.transformer.bulk.windows import Window
from jobs.transformer.judging.scores import probabilities_of


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


def labels_in(shards: Sequence[Path]) -> list[str | None]:
    """The label of each row, in order; None for a row without a text."""
    return [label for shard in shards for label in parquet.read_table(shard)["label"].to_pylist()]
