"""The model and the texts that a job asks about."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.context import JobContext
from jobs.datasets import texts as text_sets
from jobs.errors import BadInput
from jobs.transformer.rows import Row, row_of, rows
from jobs.transformer.sources import checkpoint_of
from jobs.transformer.uses import Asking, ClassifyTexts, EmbedTexts


class Rows:
    """All rows that a job asks about: the texts of its spec, or a file's.

    Args:
        spec: of the job.
        context: has the data set.

    Attributes:
        total: how many, to tell how far the job is.

    Raises:
        BadInput: the data set cannot be had here, or cannot be read.
    """

    def __init__(self, spec: ClassifyTexts | EmbedTexts, context: JobContext) -> None:
        self._spec = spec
        self._path = text_sets.file_of(spec.dataset, context) if spec.dataset is not None else None
        try:
            self.total = len(spec.texts) if self._path is None else text_sets.count_of(self._path)
        except (OSError, ValueError, csv.Error) as error:
            raise BadInput(f"{spec.dataset!r} cannot be read: {error}") from error

    def __iter__(self) -> Iterator[Row]:
        if self._path is None:
            return map(row_of, self._spec.texts)
        return rows(self._path, self._spec.text_column)

    def no_text(self, count: int) -> BadInput:
        """What to say if none of so many rows has a text."""
        if self._path is None:
            return BadInput(f"none of the {count} texts has a letter in it; give at least one that has")
        return BadInput(
            f"{self._spec.dataset!r} has {count} rows, and none has a text in its column "
            f"{self._spec.text_column!r}; name the column that has with text_column"
        )


def model_folder(spec: Asking[Any], context: JobContext) -> Path:
    """The folder of the checkpoint that a spec names, in Hugging Face's format.

    Raises:
        BadInput: it cannot be had here; the text says what to do.
    """
    return checkpoint_of(spec.model, spec.pretrained or "", context)
