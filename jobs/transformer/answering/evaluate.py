"""Measures answers on questions whose answers are known, beside the simplest methods."""

import json
from collections.abc import Iterator

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.questions.loading import question_set
from jobs.datasets.questions.sets import QuestionSet
from jobs.errors import BadInput, Stopped
from jobs.pretrained.tokens import Array
from jobs.transformer.answering.asking.answerer import Answerer, answerer
from jobs.transformer.answering.documents.examples import Examples
from jobs.transformer.answering.documents.spans import Span
from jobs.transformer.answering.drawing import SHOWN, chosen, picture
from jobs.transformer.answering.scoring.judging import answered, spans_of
from jobs.transformer.answering.scoring.measures import best
from jobs.transformer.answering.scoring.scores import Answered, scores_of
from jobs.transformer.answering.uses import AnsweringEvaluation, EvaluateAnswering
from jobs.transformer.bulk.engine import Choice

#: Questions that are computed at once, and characters of their documents, each counted with every question.
BLOCK, MOST_CHARACTERS = 512, 2**20


def run(spec: EvaluateAnswering, context: JobContext) -> AnsweringEvaluation:
    """Saves `evaluation.json`, `answers.png`, and `worst.png`: the surest answers that are wrong.

    Raises:
        BadInput: the model finds no answers, or the set has none that it can be measured by.
        Stopped: asked to stop; it begins anew then, as nothing takes long.
    """
    model = answerer(spec, Choice.of(precision=spec.precision), context)
    data = question_set(spec.dataset, context)
    known = [number for number, question in enumerate(data.questions) if question.answers is not None]
    if not known:
        raise BadInput(f"{spec.dataset!r} has no question whose answer is known; upload them with answers")
    told: list[Answered] = []
    spans: list[list[Span]] = []
    for numbers in _blocks(data, known):
        examples = Examples.of(data, numbers, model.pairs, model.reading.layout, to_learn=False)
        found = _spans(spec, model, examples, len(told), len(known), context)
        told += answered(examples, found, model.reading.threshold)
        spans += found
    scores = scores_of(told)
    result = AnsweringEvaluation(
        scores=scores, without_answers=len(data) - len(known), threshold=model.reading.threshold
    )
    title = f"{len(told):,} questions of {spec.dataset}: F1 {scores.all.f1:.1f} %"
    _draw("answers.png", chosen(len(told)), told, spans, title, context)
    _draw("worst.png", _worst(told), told, spans, "the surest answers that have no right word", context)
    context.save_artifact("evaluation.json", json.dumps(result.model_dump(mode="json"), indent=2).encode())
    return result


def _blocks(data: QuestionSet, known: list[int]) -> Iterator[Array]:
    """The numbers of the questions, by the block: what a block takes of the memory has a bound."""
    block: list[int] = []
    characters = 0
    for number in known:
        block.append(number)
        characters += len(data.documents[data.questions[number].document].text)
        if len(block) >= BLOCK or characters >= MOST_CHARACTERS:
            yield np.array(block)
            block, characters = [], 0
    if block:
        yield np.array(block)


def _spans(
    spec: EvaluateAnswering, model: Answerer, examples: Examples, first: int, total: int, context: JobContext
) -> list[list[Span]]:
    reason, count = None, len(examples.questions)

    def go_on(rows: int) -> bool:
        nonlocal reason
        done = first + count * rows // max(1, len(examples.rows))
        context.report(Progress(done, total, f"question {done:,}/{total:,}"))
        reason = context.should_stop() if done < total else None
        return reason is None

    logits = model.logits(examples.rows, spec.batch_size, go_on)
    if logits is None:
        raise Stopped(f"stopped before the last of {total} questions: {reason}")
    return spans_of(examples, logits, model.reading.max_answer)


def _worst(told: list[Answered]) -> list[int]:
    """The surest answers without a word that is right."""
    given = [number for number, each in enumerate(told) if each.answer]
    wrong = [number for number in given if not best(told[number].answer, told[number].rights)[1]]
    return sorted(wrong, key=lambda number: (-told[number].score, number))[:SHOWN]


def _draw(
    name: str,
    numbers: list[int],
    told: list[Answered],
    spans: list[list[Span]],
    title: str,
    context: JobContext,
) -> None:
    if numbers:
        drawn = picture([told[n] for n in numbers], [spans[n] for n in numbers], title)
        context.save_artifact(name, drawn)
