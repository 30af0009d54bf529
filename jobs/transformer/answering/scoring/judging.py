"""Answers with what is right, and the threshold for giving one."""

from collections.abc import Sequence

from jobs.datasets.questions.sets import QuestionSet
from jobs.pretrained.tokens import Array
from jobs.transformer.answering.documents.examples import Examples
from jobs.transformer.answering.documents.spans import Span, best_spans
from jobs.transformer.answering.scoring.scores import Answered, threshold_of

#: Spans of a question that pictures show.
COUNT = 5


def spans_of(examples: Examples, logits: Sequence[Array], most: int, count: int = COUNT) -> list[list[Span]]:
    """The best spans for each question.

    Args:
        examples: the questions.
        logits: of each row, float32 (tokens, 2).
        most: tokens of an answer at most.
        count: spans at most.
    """
    return best_spans(logits, examples.rows, examples.documents, examples.on, most, count)


def answered(examples: Examples, spans: Sequence[Sequence[Span]], threshold: float | None) -> list[Answered]:
    """Each question with its answer, which is given if its score is above the threshold; None gives all."""
    found = []
    for question, best in zip(examples.questions, spans, strict=True):
        context = _text(examples.data, question.document)
        span = context[best[0].begin : best[0].end] if best else ""
        score = best[0].score if best else float("-inf")
        given = span if threshold is None or score > threshold else ""
        rights = [answer for answer, _ in question.answers or ()]
        found.append(Answered(question.text, context, rights, given, score, span))
    return found


def threshold_for(examples: Examples, spans: Sequence[Sequence[Span]]) -> float | None:
    """The score that an answer has to be above, for the largest F1; None if each question has an answer."""
    if not examples.questions or all(question.answers for question in examples.questions):
        return None
    return threshold_of(answered(examples, spans, None))


def _text(data: QuestionSet, document: int) -> str:
    return data.documents[document].text
