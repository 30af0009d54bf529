"""The texts that a job asks about."""

import csv
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar, Protocol

from jobs.context import JobContext
from jobs.datasets.texts import sets as text_sets
from jobs.datasets.texts.rows import Row, row_of_spec, rows
from jobs.dividing.parts import Part
from jobs.errors import BadInput


class AsksAbout(Protocol):
    """A spec with texts of its own, or with a column of a data set of texts."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Its own."""

    @property
    def dataset(self) -> str | None:
        """In place of them."""

    @property
    def text_column(self) -> str:
        """Holds the texts of the data set."""


class Rows:
    """All rows that a job asks about: the texts of its spec, or a file's.

    Args:
        spec: of the job.
        context: has the data set.
        part: the rows up to its end are all there is.

    Attributes:
        first: the row to begin with.
        end: the row after the last one, to tell how far the job is.

    Raises:
        BadInput: the data set cannot be loaded here, or cannot be read.
    """

    #: What a text of the spec is called.
    name: ClassVar[str] = "texts"

    def __init__(self, spec: AsksAbout, context: JobContext, part: Part | None = None) -> None:
        self._asked = spec
        self._path = text_sets.file_of(spec.dataset, context) if spec.dataset is not None else None
        self._part = part
        self.first = part.first if part else 0
        self.end = part.end if part else self.counted()

    def __iter__(self) -> Iterator[Row]:
        """All rows from the very first on: whoever begins later passes over them."""
        found = (
            map(self.row_of_spec, self._asked.texts)
            if self._path is None
            else rows(self._path, self._asked.text_column, self._asked.dataset)
        )
        # Without a part to the very end, wherever that is: the count is of another reader of CSV.
        return islice(found, self._part.end) if self._part else found

    @staticmethod
    def row_of_spec(text: str) -> Row:
        """A text of the spec as a row."""
        return row_of_spec(text)

    def counted(self) -> int:
        """All rows, those of other parts included."""
        if self._path is None:
            return len(self._asked.texts)
        try:
            return text_sets.count_of(self._path)
        except (OSError, ValueError, csv.Error) as error:
            raise BadInput(f"{self._asked.dataset!r} cannot be read: {error}") from error

    def no_text(self, count: int) -> BadInput:
        """What to say if none of so many rows has a text."""
        if self._path is None:
            return BadInput(f"none of the {count} {self.name} has a letter in it; give at least one that has")
        return BadInput(
            f"{self._asked.dataset!r} has {count} rows, and none has a text in its column "
            f"{self._asked.text_column!r}; name the column that has with text_column"
        )
