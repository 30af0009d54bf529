"""How good answers are, as data."""

from pydantic import Field

from jobs.spec import Frozen


class AnswerFigures(Frozen):
    """How good the answers to some questions are."""

    questions: int = Field(description="that have been asked")
    exact_match: float = Field(
        description="share of the answers that are one of the right ones, but for small letters, punctuation "
        "and articles; in per cent"
    )
    f1: float = Field(
        description="harmonic mean of precision and recall over the words of the answer and the nearest "
        "right one, mean over the questions; in per cent"
    )


class AnswerScores(Frozen):
    """How good answers are, of what kind they are, and what the simplest methods come to."""

    all: AnswerFigures = Field(description="on all questions")
    by_answer: dict[str, AnswerFigures] = Field(
        description="by the kind of the right answer: name, number, phrase, clause, no answer"
    )
    by_length: dict[str, AnswerFigures] = Field(description="by the characters of the document")
    baselines: dict[str, AnswerFigures] = Field(
        description="of methods that learn nothing: the sentence with most words in common with the "
        "question, the first noun-like words that the question does not have, and no answer at all where "
        "some questions have none"
    )
    unanswered: int = Field(description="questions to which no answer was given")
