"""Questions with choices of answers: which of them a model holds for likely, beside the simplest methods."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jobs.datasets.texts.rows import rows as texts_in
from jobs.errors import BadInput
from jobs.tokens.ngrams import unigram_losses
from jobs.transformer.decoder.layout import Array
from jobs.transformer.decoder.session import slots_for
from jobs.transformer.decoder.texts import Texts
from jobs.transformer.generation.rows import Rows, Teller
from jobs.transformer.generation.spec import ChoiceScores


@dataclass(frozen=True)
class Question:
    """A prompt with choices of what comes after it.

    Attributes:
        row: of it in the file.
        choices: at least two texts.
        right: which of them.
        tokens: of the prompt and each choice together, int32 (tokens,).
        first: in each of these, the first token of the choice.
    """

    row: int
    choices: tuple[str, ...]
    right: int
    tokens: tuple[Array, ...] = field(repr=False)
    first: tuple[int, ...] = field(repr=False)


def questions_in(
    path: Path, name: str, columns: Sequence[str], read: Callable[[str, str], tuple[Array, int]], most: int
) -> tuple[list[Question], Counter[str]]:
    """The questions of a file, and how many rows are none, by the reason.

    Args:
        path: of the file.
        name: what a person calls it.
        columns: of the prompt, of the right answer (the name of a column of choices, or its text), and of
            each choice; a choice that is empty is none.
        read: tokens of a prompt and a choice, and the first token of the choice.
        most: tokens that are read together; the beginnings of longer prompts are cut off.

    Raises:
        BadInput: there is no question in it.
    """
    left_out: Counter[str] = Counter()
    found: list[Question] = []
    for row, fields in enumerate(zip(*(texts_in(path, column, name) for column in columns), strict=True)):
        prompt, answer, *others = (each.text for each in fields)
        there = [(column, text) for column, text in zip(columns[2:], others, strict=True) if text]
        right = [n for n, (column, text) in enumerate(there) if answer in (column, text)]
        reason = _unfit(prompt, there, right)
        if reason or prompt is None:
            left_out[reason] += 1
            continue
        pairs = [read(prompt, text) for _, text in there]
        if any(len(tokens) - first > most for tokens, first in pairs):
            left_out["a choice longer than max_length"] += 1
            continue
        left_out["prompts cut"] += any(len(tokens) > most + 1 for tokens, _ in pairs)
        cut = [max(0, len(tokens) - most - 1) for tokens, _ in pairs]
        found.append(
            Question(
                row,
                tuple(text for _, text in there),
                right[0],
                tuple(tokens[less:] for (tokens, _), less in zip(pairs, cut, strict=True)),
                tuple(first - less for (_, first), less in zip(pairs, cut, strict=True)),
            )
        )
    left_out += Counter()  # without what there is none of
    if not found:
        raise BadInput(f"{name!r} has no question with choices and a right one ({dict(left_out)} left out)")
    return found, left_out


def _unfit(prompt: str | None, there: Sequence[tuple[str, str]], right: Sequence[int]) -> str:
    if prompt is None:
        return "no prompt"
    if len(there) < 2:
        return "fewer than two choices"
    return "" if len(right) == 1 else "no right choice, or more than one"


def reader(texts: Texts, chats: bool) -> Callable[[str, str], tuple[Array, int]]:
    """How prompts and choices are put together: in a chat, or one after the other with a space between."""

    def read(prompt: str, choice: str) -> tuple[Array, int]:
        if chats:
            prompt, space = texts.chat(prompt, None), ""
        else:
            space = "" if prompt[-1:].isspace() else " "
        asked = texts.encoded(prompt, special=not chats)
        both = texts.encoded(f"{prompt}{space}{choice}", special=not chats)
        while len(both) and int(both[-1]) in texts.ends:  # what a tokenizer adds is no part of the choice
            both = both[:-1]
        size = min(len(asked), len(both) - 1)
        alike = np.flatnonzero(asked[:size] != both[:size])
        return both, max(1, int(alike[0]) if len(alike) else size)

    return read


def scores_of(questions: Sequence[Question], teller: Teller, vocabulary: int) -> tuple[ChoiceScores, Array]:
    """The figures of a model, and the nats of each choice, float64 (choices,), question after question."""
    tokens = [each for question in questions for each in question.tokens]
    first = [each for question in questions for each in question.first]
    nats = _nats(tokens, first, teller)
    counted = np.concatenate(tokens)
    rare = np.array(
        [unigram_losses(counted, each[at:], vocabulary).sum() for each, at in zip(tokens, first, strict=True)]
    )
    sizes = np.array([len(text.encode()) for question in questions for text in question.choices])

    def share(worth: Array) -> float:
        hits = [
            part.argmax() == each.right
            for each, part in zip(questions, _apart(questions, worth), strict=True)
        ]
        return float(np.mean(hits))

    scores = ChoiceScores(
        questions=len(questions),
        accuracy=share(-nats),
        accuracy_per_byte=share(-nats / np.maximum(sizes, 1)),
        chance=float(np.mean([1 / len(question.choices) for question in questions])),
        longest=share(sizes.astype(np.float64)),
        unigram=share(-rare),
    )
    return scores, nats


def _nats(tokens: Sequence[Array], first: Sequence[int], teller: Teller) -> Array:
    """Nats of each choice given its prompt, in batches of a few widths."""
    found = np.zeros(len(tokens))
    by_width: dict[int, list[int]] = {}
    for number, each in enumerate(tokens):
        by_width.setdefault(slots_for(len(each)), []).append(number)
    for width, numbers in sorted(by_width.items()):
        padded = np.zeros((len(numbers), width), np.int32)
        for line, number in zip(padded, numbers, strict=True):
            line[: len(tokens[number])] = tokens[number]
        begins = np.array([first[number] for number in numbers], np.int32)
        ends = np.array([len(tokens[number]) for number in numbers], np.int32)
        found[numbers] = teller.by_row(Rows(padded, begins, ends))
    return found


def _apart(questions: Sequence[Question], worth: Array) -> Iterator[Array]:
    at = 0
    for question in questions:
        yield worth[at : at + len(question.choices)]
        at += len(question.choices)


def table(questions: Sequence[Question], nats: Array) -> bytes:
    """A line for each question, as CSV: its row, the right choice, the likeliest, and the nats of each."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("row", "right", "likeliest", "nats"))
    for question, part in zip(questions, _apart(questions, nats), strict=True):
        likeliest = question.choices[int(part.argmin())]
        told = " ".join(f"{each:.4f}" for each in part)
        writer.writerow((question.row, question.choices[question.right], likeliest, told))
    return file.getvalue().encode()
