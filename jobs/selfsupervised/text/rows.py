"""The texts whose masks are filled: those of a spec, or the rows of a file."""

import csv
from collections.abc import Iterator
from itertools import islice

from jobs.context import JobContext
from jobs.datasets.texts import sets as text_sets
from jobs.datasets.texts.rows import Row, row_of_spec, rows
from jobs.dividing.parts import Part
from jobs.errors import BadInput
from jobs.selfsupervised.text.spec import MASK, FillText


class Rows:
    """All rows of a job, with the model's own mask in place of `[MASK]`.

    Args:
        spec: of the job.
        context: has the data set.
        mask: the model's.
        part: the rows up to its end are all there is.

    Attributes:
        first: the row to begin with.
        end: the row after the last one.

    Raises:
        BadInput: the data set cannot be loaded here, or cannot be read.
    """

    def __init__(self, spec: FillText, context: JobContext, mask: str, part: Part | None = None) -> None:
        self._spec, self._mask, self._part = spec, mask, part
        self._path = text_sets.file_of(spec.dataset, context) if spec.dataset is not None else None
        self.first = part.first if part else 0
        self.end = part.end if part else self._count()

    def __iter__(self) -> Iterator[Row]:
        """All rows from the very first on: whoever begins later passes over them."""
        found = (
            map(row_of_spec, self._spec.texts)
            if self._path is None
            else rows(self._path, self._spec.text_column, self._spec.dataset)
        )
        for row in islice(found, self._part.end) if self._part else found:
            yield Row(row.text and row.text.replace(MASK, self._mask), row.remark)

    def _count(self) -> int:
        if self._path is None:
            return len(self._spec.texts)
        try:
            return text_sets.count_of(self._path)
        except (OSError, ValueError, csv.Error) as error:
            raise BadInput(f"{self._spec.dataset!r} cannot be read: {error}") from error
