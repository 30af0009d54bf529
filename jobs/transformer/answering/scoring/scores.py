"""All figures of some answers at once."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.transformer.answering.scoring import baselines
from jobs.transformer.answering.scoring.figures import AnswerFigures, AnswerScores
from jobs.transformer.answering.scoring.kinds import NO_ANSWER, kind_of, length_of
from jobs.transformer.answering.scoring.measures import best


@dataclass(frozen=True)
class Answered:
    """A question, what is right, and what was said.

    Attributes:
        question: the question.
        context: the document.
        rights: the right answers; none if the document has none.
        answer: that was given; empty for none.
        score: by how much the best span beat no answer, whether it was given or not.
        span: the best span, whether it was given or not.
    """

    question: str
    context: str
    rights: Sequence[str]
    answer: str
    score: float
    span: str


def scores_of(answered: Sequence[Answered]) -> AnswerScores:
    """Figures of all, by kind and length, and of the simplest methods on the same questions."""
    pairs = [best(each.answer, each.rights) for each in answered]
    simplest: dict[str, Callable[[str, str], tuple[int, int]]] = {
        "sentence with most words in common": baselines.most_words,
        "first noun": baselines.first_noun,
    }
    found = {
        name: figures_of(
            best(each.context[slice(*method(each.question, each.context))], each.rights) for each in answered
        )
        for name, method in simplest.items()
    }
    kinds = [kind_of(each.rights) for each in answered]
    if NO_ANSWER in kinds:
        found[NO_ANSWER] = figures_of(best("", each.rights) for each in answered)
    return AnswerScores(
        all=figures_of(pairs),
        by_answer=_grouped(kinds, pairs),
        by_length=_grouped([length_of(each.context) for each in answered], pairs),
        baselines=found,
        unanswered=sum(not each.answer for each in answered),
    )


def figures_of(pairs: Iterable[tuple[float, float]]) -> AnswerFigures:
    """The means of exact match and F1, in per cent."""
    table = np.array(list(pairs), np.float64).reshape(-1, 2)
    exact, f1 = 100 * table.mean(axis=0)
    return AnswerFigures(questions=len(table), exact_match=float(exact), f1=float(f1))


def threshold_of(answered: Sequence[Answered]) -> float:
    """The score that the best span has to be above to be given as an answer, for the largest F1.

    The scores themselves are tried, and no bound at all; the least of equals is taken. It is what the
    official evaluation of SQuAD 2.0 calls `best_f1_thresh`, found in one pass over the sorted scores.
    """
    order = sorted(range(len(answered)), key=lambda number: answered[number].score)
    given = np.array([best(answered[number].span, answered[number].rights)[1] for number in order])
    not_given = np.array([best("", answered[number].rights)[1] for number in order])
    # With the first n left unanswered, n from 0.
    sums = np.concatenate([[0.0], np.cumsum(not_given)]) + np.concatenate(
        [np.cumsum(given[::-1])[::-1], [0.0]]
    )
    scores = [answered[number].score for number in order]
    # Equal scores are answered together, or not at all.
    ends = [0, *(n for n in range(1, len(order) + 1) if n == len(order) or scores[n] > scores[n - 1])]
    chosen = max(ends, key=lambda n: (sums[n], -n))
    found = scores[chosen - 1] if chosen else scores[0] - 1.0
    # No score at all where a document has no word that could be one.
    finite = [score for score in scores if np.isfinite(score)]
    return found if np.isfinite(found) else min(finite, default=0.0) - 1.0


def _grouped(names: Sequence[str], pairs: Sequence[tuple[float, float]]) -> dict[str, AnswerFigures]:
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, pair in zip(names, pairs, strict=True):
        groups[name].append(pair)
    return {name: figures_of(groups[name]) for name in sorted(groups)}
