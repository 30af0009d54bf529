"""The model and the texts that a job asks about."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from jobs.context import JobContext
from jobs.datasets import texts as text_sets
from jobs.datasets.rows import Row, row_of_spec, rows
from jobs.dividing.parts import Cuts, Part
from jobs.errors import BadInput
from jobs.pretrained.families import FAMILIES
from jobs.pretrained.fields import config_of
from jobs.pretrained.heads import classes_of
from jobs.pretrained.sources import checkpoint_of
from jobs.pretrained.tensors import Weights
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.bulk.windows import ends
from jobs.transformer.uses import Asking, ClassifyTexts, EmbedTexts


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

    def __init__(
        self, spec: ClassifyTexts | EmbedTexts, context: JobContext, part: Part | None = None
    ) -> None:
        self._spec = spec
        self._path = text_sets.file_of(spec.dataset, context) if spec.dataset is not None else None
        self._part = part
        self.first = part.first if part else 0
        self.end = part.end if part else self._count()

    def __iter__(self) -> Iterator[Row]:
        """All rows from the very first on: whoever begins later passes over them."""
        found = (
            map(row_of_spec, self._spec.texts)
            if self._path is None
            else rows(self._path, self._spec.text_column, self._spec.dataset)
        )
        # Without a part to the very end, wherever that is: the count is of another reader of CSV.
        return islice(found, self._part.end) if self._part else found

    def _count(self) -> int:
        if self._path is None:
            return len(self._spec.texts)
        try:
            return text_sets.count_of(self._path)
        except (OSError, ValueError, csv.Error) as error:
            raise BadInput(f"{self._spec.dataset!r} cannot be read: {error}") from error

    def no_text(self, count: int) -> BadInput:
        """What to say if none of so many rows has a text."""
        if self._path is None:
            return BadInput(f"none of the {count} texts has a letter in it; give at least one that has")
        return BadInput(
            f"{self._spec.dataset!r} has {count} rows, and none has a text in its column "
            f"{self._spec.text_column!r}; name the column that has with text_column"
        )


def cuts_of(spec: ClassifyTexts | EmbedTexts, context: JobContext, choice: Choice) -> Cuts:
    """The windows of a job over texts: see `jobs.dividing.parts`."""
    found = ends(Rows(spec, context), spec.max_length, spec.batch_size)
    return Cuts(found, choices={"library": choice.library, "precision": choice.precision})


def model_folder(spec: Asking[Any], context: JobContext) -> Path:
    """The folder of the checkpoint that a spec names, in Hugging Face's format.

    Raises:
        BadInput: it cannot be loaded here; the text says what to do.
    """
    return checkpoint_of(spec.model, spec.pretrained or "", context)


def class_names_of(folder: Path) -> tuple[str, ...]:
    """The classes of a checkpoint, by number.

    Raises:
        BadInput: it tells none apart, or others than its config.json names, or computes no one class.
    """
    config = config_of(folder)
    family = FAMILIES[config["model_type"]]
    shape = Weights(folder).shapes.get(list(family.head)[-1] + ".weight", (0,))
    return classes_of(config, folder, family.architecture, shape[0])
