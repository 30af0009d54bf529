"""Checks questions as they are taken in: each fault is named with its place, or counted and left out."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from jobs.datasets.questions.reading import Entry
from jobs.datasets.questions.sets import Document, Question, QuestionSet
from jobs.datasets.readable import one_line, without_halves
from jobs.errors import BadInput

Wrong = Literal["refuse", "skip"]
#: Characters of an id that an answer's row shows, and of a text that an error does.
LONGEST_ID, SHOWN = 200, 60
#: Questions at fault that one refusal names.
NAMED = 3


class _Fault(Exception):
    """What is wrong with a question, and what it is called where such are counted."""

    def __init__(self, said: str, counted: str) -> None:
        super().__init__(said)
        self.counted = counted


def checked(found: Iterable[Entry], name: str, wrong: Wrong = "refuse") -> QuestionSet:
    """The questions of a file, all of which are right.

    Args:
        found: as they stand in the file.
        name: of the file, for errors.
        wrong: whether a question with an empty text or context, an id that is there already, or an answer
            that does not stand where it is said to, is refused or left out.

    Raises:
        BadInput: there is such a question and it is not to be left out, or none is left.
    """
    taken = _Taken()
    faults: list[str] = []
    left_out: Counter[str] = Counter()
    for number, entry in enumerate(found, start=1):
        try:
            taken.add(entry, number)
        except _Fault as fault:
            left_out[fault.counted] += 1
            if len(faults) < NAMED:
                faults.append(f"{entry.place}{_id(entry)}: {fault}")
    count = left_out.total()
    if faults and wrong == "refuse":
        more = f"; and {count - len(faults):,} more" if count > len(faults) else ""
        raise BadInput(
            f"{name}: {'; '.join(faults)}{more}. Mend the file, or leave such questions out with "
            "--wrong-answers skip"
        )
    if not taken.questions:
        raise BadInput(f"{name} has no question{f' that is right: {faults[0]}' if faults else ''}")
    return taken.whole([f"{count:,} questions left out: {why}" for why, count in left_out.items()])


class _Taken:
    """What is right so far."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self._documents: dict[tuple[str, str], int] = {}
        self._ids: set[str] = set()
        self._notes: Counter[str] = Counter()

    def add(self, entry: Entry, number: int) -> None:
        """Takes a question in, or raises what is wrong with it."""
        context, question = self._text(entry.context), self._text(entry.question)
        if not context.strip():
            raise _Fault("the context is empty", "the context is empty")
        if not question.strip():
            raise _Fault("the question is empty", "the question is empty")
        name = self._name(entry, number)
        answers = None if entry.answers is None else self._answers(entry, context)
        document = (one_line(self._text(entry.title), LONGEST_ID), context)
        place = self._documents.setdefault(document, len(self._documents))
        self._ids.add(name)
        self.questions.append(Question(name, place, question, answers))

    def whole(self, notes: list[str]) -> QuestionSet:
        """All of it."""
        counts = Counter(_kind(question) for question in self.questions)
        notes += [f"{count:,} {what}" for what, count in counts.items() if what]
        notes += [f"{count:,} {what}" for what, count in self._notes.items()]
        documents = tuple(Document(title, text) for title, text in self._documents)
        return QuestionSet(documents, tuple(self.questions), tuple(notes))

    def _text(self, value: object) -> str:
        text, halves = without_halves("" if value is None or _is_nan(value) else str(value))
        if halves:
            self._notes["texts have U+FFFD for half a character"] += 1
        return text

    def _name(self, entry: Entry, number: int) -> str:
        if entry.id is None or _is_nan(entry.id) or entry.id == "":
            name = str(number)
        else:
            name = one_line(str(entry.id), LONGEST_ID)
        if name in self._ids:
            raise _Fault(f"the id {name!r} is another question's already", "the id is another question's")
        return name

    def _answers(self, entry: Entry, context: str) -> tuple[tuple[str, int], ...]:
        pairs = [self._answer(self._text(text), start, context) for text, start in entry.answers or ()]
        return tuple(dict.fromkeys(pairs))  # three people who agree are one answer

    def _answer(self, text: str, start: object, context: str) -> tuple[str, int]:
        if not text.strip():
            raise _Fault(
                "its answer is empty, and has a start; leave both empty if there is no answer",
                "the answer is empty",
            )
        if start is None or start == "" or _is_nan(start):
            count = _count(text, context)
            if count != 1:
                said = "not" if not count else "more than once, and no start says which is meant"
                raise _Fault(
                    f"the answer {_shown(text)} is {said} in its context",
                    "the answer is not in its context, or more than once without a start",
                )
            return text, context.index(text)
        place = _whole(start)
        if place is None or place < 0 or context[place : place + len(text)] != text:
            there = "" if place is None or place < 0 else context[place : place + len(text)]
            raise _Fault(
                f"the answer {_shown(text)} is said to begin at character {start}, where its context has "
                f"{_shown(there)}",
                "the answer is not where it is said to be",
            )
        return text, place


def _kind(question: Question) -> str:
    if question.answers is None:
        return "questions have no answer given"
    return "" if question.answers else "questions are not answered by their context"


def _count(text: str, context: str) -> int:
    first = context.find(text)
    return 0 if first < 0 else 1 if context.find(text, first + 1) < 0 else 2


def _whole(start: object) -> int | None:
    try:
        number = float(str(start).strip())
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _shown(text: str) -> str:
    return repr(one_line(text, SHOWN))


def _id(entry: Entry) -> str:
    return "" if entry.id is None else f" (id {one_line(repr(entry.id), SHOWN)})"
