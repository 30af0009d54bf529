"""Questions as rows of tokens with the places of their answers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from jobs.datasets.questions.sets import Question, QuestionSet
from jobs.pretrained.pairs import Pairs, Pieces
from jobs.pretrained.tokens import Array
from jobs.transformer.answering.documents.windows import Layout, Rows, rows_of

#: Documents that are tokenised at once.
BLOCK = 256


@dataclass(frozen=True, eq=False)
class Examples:
    """Some questions of a set, ready to be learnt from or judged by.

    Attributes:
        data: the set.
        questions: those that are used.
        documents: tokens of their documents, by number.
        rows: each question with each window of its document.
        begins: the place in each row where the answer begins; 0 where the window does not have it.
        ends: the place of the answer's last token, likewise.
        left_out: questions that could not be used, by the reason.
    """

    data: QuestionSet
    questions: Sequence[Question]
    documents: Mapping[int, Pieces]
    rows: Rows
    begins: Array
    ends: Array
    left_out: Mapping[str, int]

    @classmethod
    def of(
        cls, data: QuestionSet, numbers: Array, pairs: Pairs, layout: Layout, *, to_learn: bool = True
    ) -> Self:
        """The questions of these numbers, in their order.

        Those that nobody answers are left out; to learn from them, also those whose documents have no token,
        or whose answer has none.
        """
        chosen = [data.questions[number] for number in numbers]
        documents = tokenised(data, pairs, chosen)
        left_out: Counter[str] = Counter()
        kept: list[Question] = []
        spans: list[tuple[int, int] | None] = []
        for question in chosen:
            why, span = _target(question, documents[question.document])
            if why and (to_learn or question.answers is None):
                left_out[why] += 1
            else:
                kept.append(question)
                spans.append(span)
        pieces = pairs.pieces([question.text for question in kept])
        asked = list(zip(pieces, (question.document for question in kept), strict=True))
        rows = rows_of(pairs, layout, asked, documents)
        begins, ends = _targets(rows, spans)
        return cls(data, kept, documents, rows, begins, ends, dict(left_out))

    @property
    def on(self) -> list[int]:
        """The document of each question."""
        return [question.document for question in self.questions]


def tokenised(data: QuestionSet, pairs: Pairs, questions: Sequence[Question]) -> dict[int, Pieces]:
    """The tokens of the documents of some questions, each once."""
    numbers = sorted({question.document for question in questions})
    found: dict[int, Pieces] = {}
    for first in range(0, len(numbers), BLOCK):
        block = numbers[first : first + BLOCK]
        texts = [data.documents[number].text for number in block]
        found |= zip(block, pairs.pieces(texts), strict=True)
    return found


def _target(question: Question, document: Pieces) -> tuple[str, tuple[int, int] | None]:
    if question.answers is None:
        return "no answer given", None
    if not len(document):
        return "a document without a token", None
    if not question.answers:
        return "", None
    text, begin = question.answers[0]
    span = document.tokens_of(begin, begin + len(text))
    return ("", span) if span else ("an answer without a token", None)


def _targets(rows: Rows, spans: Sequence[tuple[int, int] | None]) -> tuple[Array, Array]:
    begins, ends = np.zeros(len(rows), np.int32), np.zeros(len(rows), np.int32)
    firsts = rows.firsts
    for row in range(len(rows)):
        span = spans[rows.owners[row]]
        window = int(rows.begins[row])
        if span and window <= span[0] and span[1] < window + rows.window_length[row]:
            begins[row], ends[row] = (firsts[row] + place - window for place in span)
    return begins, ends
