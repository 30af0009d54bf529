"""How a model reads documents, and when it answers: kept beside its weights."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from jobs.errors import BadInput, InvalidSpec
from jobs.transformer.answering.documents.windows import Layout
from jobs.transformer.answering.spec import TrainAnswering, check_windows
from jobs.transformer.answering.uses import Asking

#: The file beside the weights.
READING = "answering.json"


@dataclass(frozen=True)
class Reading:
    """What a model was trained with; where nothing is known, what the training has by default.

    Attributes:
        max_length: tokens of a row.
        max_question: tokens of a question that are read.
        stride: tokens from one window to the next.
        max_answer: tokens of an answer at most.
        threshold: score that an answer has to be above; None: every question is answered.
    """

    max_length: int = 384
    max_question: int = 64
    stride: int = 128
    max_answer: int = 30
    threshold: float | None = None

    @classmethod
    def of_training(cls, spec: TrainAnswering, threshold: float | None) -> Self:
        """As a training has it."""
        return cls(spec.max_length, spec.max_question, spec.stride, spec.max_answer, threshold)

    @classmethod
    def of(cls, spec: Asking[Any], folder: Path) -> Self:
        """As a spec has it, and where it does not say, as the model in a folder was trained.

        Raises:
            BadInput: both together lose tokens between two windows, or the file cannot be read.
        """
        known = cls()
        if (folder / READING).is_file():
            try:
                known = cls(**json.loads((folder / READING).read_text()))
            except (ValueError, TypeError) as error:
                raise BadInput(f"{READING} of {folder.name} cannot be read: {error}") from error
        chosen = {
            name: value if getattr(spec, name) is None else getattr(spec, name)
            for name, value in asdict(known).items()
        }
        found = cls(**chosen)
        try:
            check_windows(spec.kind, found.max_length, found.max_question, found.stride)
        except InvalidSpec as error:
            raise BadInput(str(error)) from None
        return found

    @property
    def layout(self) -> Layout:
        """Of the windows."""
        return Layout(self.max_length, self.max_question, self.stride, self.max_answer)

    def text(self) -> str:
        """The file."""
        return json.dumps(asdict(self), indent=2) + "\n"
