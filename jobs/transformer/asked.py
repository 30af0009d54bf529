"""The model and the texts that a job asks about."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from jobs.context import JobContext
from jobs.datasets import texts as text_sets
from jobs.errors import BadInput
from jobs.pretrained import CONFIG, WEIGHTS
from jobs.transformer.export import labels_of
from jobs.transformer.hugging_face import FAMILIES
from jobs.transformer.models import family_of
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


def class_names_of(folder: Path) -> tuple[str, ...]:
    """The classes of a checkpoint, by number.

    Raises:
        BadInput: it tells none apart, or more or fewer than its config.json names.
    """
    head = list(FAMILIES[family_of(folder)].head)[-1] + ".weight"
    try:
        with safe_open(folder / WEIGHTS, framework="numpy") as file:
            count = file.get_slice(head).get_shape()[0] if head in file.keys() else 0  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BadInput(f"the weights of {folder.name} cannot be read ({error}); save them again") from error
    if not count:
        raise BadInput(
            f"{folder.name} has no head that tells classes apart; fine-tune it first with "
            "transformer.finetune, and give that job as 'model'"
        )
    # Two classes that have no names of their own are not in config.json.
    names = labels_of(json.loads((folder / CONFIG).read_text())) or [f"LABEL_{n}" for n in range(count)]
    if len(names) != count:
        raise BadInput(
            f"the head of {folder.name} has {count} outputs, and its config.json names {len(names)} classes; "
            "mend its id2label"
        )
    return tuple(names)
