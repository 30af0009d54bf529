"""The questions that a job answers, in order, and where they are cut into blocks."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path

from jobs.context import JobContext
from jobs.datasets.questions.loading import question_set
from jobs.datasets.questions.sets import QuestionSet
from jobs.datasets.texts import sets as text_sets
from jobs.datasets.texts.rows import row_of_spec, rows
from jobs.dividing.parts import Cuts, Part
from jobs.errors import BadInput
from jobs.transformer.answering.uses import AnswerQuestions
from jobs.transformer.bulk.engine import Choice

#: Batches of windows in a block of questions, were each document one window, and questions at most.
BATCHES, MOST_QUESTIONS = 32, 16_384
#: Characters of the documents of a block, those of a document once for each question on it: what a block
#: takes of the memory has a bound, but for one question on a document that is larger by itself.
MOST_CHARACTERS = 2**20


@dataclass(frozen=True)
class Asked:
    """A question on a document, as a job is asked it.

    Attributes:
        id: of the question; empty if there is none.
        question: None if it holds no text.
        document: its number.
        title: what it is called; empty if nobody says.
        context: the document; None if it holds no text.
        remark: what there is to say of the document; empty for most.
    """

    id: str
    question: str | None
    document: int
    title: str
    context: str | None
    remark: str = ""


class Questions:
    """All questions of a job: those of a set, or each of the spec with each document, document by document.

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

    def __init__(self, spec: AnswerQuestions, context: JobContext, part: Part | None = None) -> None:
        self._spec, self._part = spec, part
        self._set: QuestionSet | None = question_set(spec.dataset, context) if spec.dataset else None
        self._path: Path | None = text_sets.file_of(spec.documents, context) if spec.documents else None
        self.first = part.first if part else 0
        self.end = part.end if part else self._count()

    def __iter__(self) -> Iterator[Asked]:
        """All rows from the very first on: whoever begins later passes over them."""
        found = self._of_set() if self._set else self._of_spec()
        return islice(found, self._part.end) if self._part else found

    def _of_set(self) -> Iterator[Asked]:
        assert self._set is not None  # noqa: S101 - asked only then
        for question in self._set.questions:
            document = self._set.documents[question.document]
            yield Asked(question.id, question.text, question.document, document.title, document.text)

    def _of_spec(self) -> Iterator[Asked]:
        spec = self._spec
        found = (
            map(row_of_spec, spec.texts)
            if self._path is None
            else rows(self._path, spec.document_column, spec.documents)
        )
        asked = [row_of_spec(question).text for question in spec.questions]
        for number, row in enumerate(found):
            for question in asked:
                yield Asked("", question, number, "", row.text, row.remark)

    def _count(self) -> int:
        if self._set is not None:
            return len(self._set)
        if self._path is None:
            return len(self._spec.texts) * len(self._spec.questions)
        try:
            return text_sets.count_of(self._path) * len(self._spec.questions)
        except (OSError, ValueError, csv.Error) as error:
            raise BadInput(f"{self._spec.documents!r} cannot be read: {error}") from error


def blocks(found: Iterator[Asked], batch_size: int) -> Iterator[list[Asked]]:
    """Cuts rows into blocks; where one ends depends on the rows from its first one on, and on no more."""
    most = min(BATCHES * batch_size, MOST_QUESTIONS)
    block: list[Asked] = []
    characters = 0
    for row in found:
        block.append(row)
        characters += len(row.context or "")
        if len(block) >= most or characters >= MOST_CHARACTERS:
            yield block
            block, characters = [], 0
    if block:
        yield block


def cuts_of(spec: AnswerQuestions, context: JobContext, choice: Choice) -> Cuts:
    """Where the rows of a job may be cut: see `jobs.dividing.parts`."""
    found = blocks(iter(Questions(spec, context)), spec.batch_size)
    ends = list(accumulate(map(len, found)))
    return Cuts(ends, choices={"library": choice.library, "precision": choice.precision})
