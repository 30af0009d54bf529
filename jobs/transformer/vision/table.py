"""The table of a classification of images: a row an image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from jobs.datasets.images.image_set import ImageSet
from jobs.transformer.judging.scores import probabilities_of
from jobs.transformer.vision.asking import Array, Stretch

#: Classes that are named in a row, the most probable first.
TOP = 5


def schema_of(class_names: Sequence[str], labelled: bool) -> pyarrow.Schema:
    """The columns of the table.

    `row`; `class`, if the data set has labels; `label` and `probability` of the most probable class, `top_2`
    and `top_2_probability` to `top_5` of the next ones; and `probability_<class>` for each class.
    """
    fields = [("row", pyarrow.int64()), *([("class", pyarrow.string())] if labelled else [])]
    fields += [("label", pyarrow.string()), ("probability", pyarrow.float32())]
    for place in range(2, min(TOP, len(class_names)) + 1):  # not probability_2: a class may be called 2
        fields += [(f"top_{place}", pyarrow.string()), (f"top_{place}_probability", pyarrow.float32())]
    return pyarrow.schema([*fields, *((f"probability_{name}", pyarrow.float32()) for name in class_names)])


class Shard:
    """A Parquet file of consecutive images.

    Args:
        path: where it is written.
        class_names: of the model, by number.
        data: the images.
    """

    def __init__(self, path: Path, class_names: Sequence[str], data: ImageSet) -> None:
        self._data = data
        self._schema = schema_of(class_names, data.labels is not None)
        self._names = pyarrow.array(class_names, pyarrow.string())
        self._writer = parquet.ParquetWriter(path, self._schema)

    def add(self, window: Stretch, outputs: Array) -> None:
        """Writes the rows of a window.

        Args:
            window: which.
            outputs: logits, float32 (images, classes).
        """
        probabilities = probabilities_of(outputs).astype(np.float32)
        columns: list[Any] = [pyarrow.array(np.arange(window.first, window.end))]
        if self._data.labels is not None:
            labels = self._data.labels[window.first : window.end]
            columns.append(pyarrow.array([self._data.class_names[label] for label in labels]))
        order = np.argsort(-outputs, axis=1, kind="stable")  # of equal ones the first
        for place in range(min(TOP, outputs.shape[1])):
            chosen = order[:, place]
            columns.append(self._names.take(pyarrow.array(chosen)))
            columns.append(pyarrow.array(probabilities[np.arange(len(chosen)), chosen]))
        columns += [pyarrow.array(column) for column in np.ascontiguousarray(probabilities.T)]
        self._writer.write_table(pyarrow.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()
