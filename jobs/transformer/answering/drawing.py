"""Answers as people look at them: each marked in its sentence, with the next best below."""

from collections.abc import Sequence

from jobs.pictures.passages import Passage, passages
from jobs.transformer.answering.documents.spans import Span
from jobs.transformer.answering.scoring.baselines import sentences
from jobs.transformer.answering.scoring.measures import best
from jobs.transformer.answering.scoring.scores import Answered

#: Characters around an answer that are shown, and of a question and a next best answer.
AROUND, LONGEST = 160, 120
#: Questions of a picture.
SHOWN = 6
NOTHING = "no answer"


def picture(
    answered: Sequence[Answered], spans: Sequence[Sequence[Span]], title: str, *, known: bool = True
) -> bytes:
    """Some questions with the best span marked in its sentence, what is right, and the next best spans.

    Args:
        answered: the questions.
        spans: of each, the best first.
        title: above all.
        known: whether it is known what is right.
    """
    return passages([_passage(*pair, known) for pair in zip(answered, spans, strict=True)], title)


def chosen(count: int) -> list[int]:
    """The questions that are shown, of so many: the same in every epoch."""
    return [number * count // min(SHOWN, count) for number in range(min(SHOWN, count))]


def _passage(answered: Answered, spans: Sequence[Span], known: bool) -> Passage:
    right = known and best(answered.answer, answered.rights)[0] == 1
    said = " | ".join(dict.fromkeys(_short(each) for each in answered.rights)) or NOTHING
    notes = [f"right: {said}"] if known else []
    head = _short(answered.question)
    if not spans:
        return Passage(head, "", NOTHING, "", right, notes)
    context, first = answered.context, spans[0]
    begin, end = first.begin, first.end
    low, high = _around(context, begin, end)
    others = [f"{_short(context[span.begin : span.end])} ({span.score:.1f})" for span in spans]
    notes += [f"n-best: {';  '.join(others)}"]
    if not answered.answer:
        notes.insert(0, f"given: {NOTHING}")
    marked = _short(context[begin:end])
    return Passage(head, context[low:begin], marked, context[end:high], right, notes)


def _around(context: str, begin: int, end: int) -> tuple[int, int]:
    """The sentence that has a span, or what lies around it in a long one."""
    low, high = max(0, begin - AROUND), min(len(context), end + AROUND)
    spans = [(low + a, low + b) for a, b in sentences(context[low:high])]
    one = [(a, b) for a, b in spans if a <= begin and end <= b]
    return one[0] if one else (low, high)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
