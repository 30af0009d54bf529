"""Documents in windows, each with a question before it, as rows of tokens."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.pretrained.pairs import Pairs, Pieces
from jobs.pretrained.tokens import Array
from jobs.transformer.encoder.lengths import width_of


@dataclass(frozen=True)
class Layout:
    """How documents are read.

    Attributes:
        max_length: tokens of a row.
        max_question: tokens of a question that are read.
        stride: tokens from one window to the next.
        max_answer: tokens of an answer at most.
    """

    max_length: int
    max_question: int
    stride: int
    max_answer: int

    def windows(self, count: int, special: int) -> list[tuple[int, int]]:
        """First token of each window of a document, and the one after its last.

        All are the same for every question, so that questions share them. No token is lost: the stride is at
        most a window's length, and the last window ends with the document.

        Args:
            count: tokens of the document.
            special: special tokens of a row.
        """
        room = self.max_length - self.max_question - special
        if not count:
            return []
        last = max(0, -(-(count - room) // self.stride))
        begins = (number * self.stride for number in range(last + 1))
        return [(begin, min(begin + room, count)) for begin in begins]


@dataclass(frozen=True)
class Special:
    """Special tokens of a row: how many, and where they lie among all tokens."""

    before: int
    between: int
    after: int
    first: Any

    def places(
        self, where: Callable[..., Any], place: Any, question: tuple[Any, Any], window: tuple[Any, Any]
    ) -> Any:
        """Where the tokens of rows lie among all tokens, (rows, width); past the end of a row, the padding.

        Args:
            where: NumPy's or TensorFlow's.
            place: 0 to the width, (1, width).
            question: first token of each question among all, and how many it has, (rows, 1).
            window: likewise.
        """
        (asked, asked_length), (read, read_length) = question, window
        first = self.before + asked_length
        second = first + self.between
        third = second + read_length
        after = self.before + self.between
        found = where(place < third + self.after, self.first + after + place - third, self._pad)
        found = where(place < third, read + place - second, found)
        found = where(place < second, self.first + self.before + place - first, found)
        found = where(place < first, asked + place - self.before, found)
        return where(place < self.before, self.first + place, found)

    @property
    def _pad(self) -> Any:
        return self.first + self.before + self.between + self.after


@dataclass(frozen=True, eq=False)
class Rows:
    """Questions with windows of their documents.

    Attributes:
        tokens: of all questions and documents, each once, then the special ones and the padding, int32.
        special: where these are.
        owners: the number of each row's question, int32 (rows,).
        begins: the first token of each row's window in its document, int64 (rows,).
        question: first token of each row's question among all, int32 (rows,).
        question_length: int32 (rows,).
        window: first token of each row's window among all, int32 (rows,).
        window_length: int32 (rows,).
        most: tokens that the model has places for; the padding ends there at the latest.
    """

    tokens: Array
    special: Special
    owners: Array
    begins: Array
    question: Array
    question_length: Array
    window: Array
    window_length: Array
    most: int

    def __len__(self) -> int:
        """Rows."""
        return len(self.owners)

    @property
    def firsts(self) -> Array:
        """The place of the first token of each window in its row, int32 (rows,)."""
        found: Array = self.special.before + self.question_length + self.special.between
        return found

    @property
    def lengths(self) -> Array:
        """Tokens of each row, int32 (rows,)."""
        found: Array = self.firsts + self.window_length + self.special.after
        return found

    def batch(self, rows: Array) -> tuple[Array, Array, Array]:
        """Tokens int32 (batch, width), lengths and `firsts` int32 (batch,) of some rows."""
        lengths = self.lengths[rows]
        places = self.special.places(
            np.where,
            np.arange(min(width_of(int(lengths.max())), self.most))[np.newaxis],
            (self.question[rows, np.newaxis], self.question_length[rows, np.newaxis]),
            (self.window[rows, np.newaxis], self.window_length[rows, np.newaxis]),
        )
        return self.tokens[places], lengths, self.firsts[rows]


def rows_of(
    pairs: Pairs, layout: Layout, asked: Sequence[tuple[Pieces, int]], documents: Mapping[int, Pieces]
) -> Rows:
    """Every question with every window of its document.

    Args:
        pairs: the tokenizer.
        layout: of the windows.
        asked: tokens of each question, and the document that it is on.
        documents: tokens of each document, by its number.
    """
    parts, places, count = [], {}, 0
    for number, pieces in documents.items():
        places[number] = count
        parts.append(pieces.ids)
        count += len(pieces)
    windows = {number: layout.windows(len(pieces), pairs.special) for number, pieces in documents.items()}
    columns: list[tuple[int, int, int, int, int, int]] = []
    for owner, (pieces, document) in enumerate(asked):
        kept = pieces.ids[: layout.max_question]
        parts.append(kept)
        columns += [
            (owner, begin, count, len(kept), places[document] + begin, end - begin)
            for begin, end in windows[document]
        ]
        count += len(kept)
    ends = [pairs.before, pairs.between, pairs.after, np.array([pairs.pad], np.int32)]
    tokens = np.concatenate([*parts, *ends]).astype(np.int32)
    table = np.array(columns, np.int64).reshape(-1, 6).T
    special = Special(len(pairs.before), len(pairs.between), len(pairs.after), count)
    owners, begins, *others = table
    question, question_length, window, window_length = (each.astype(np.int32) for each in others)
    return Rows(
        tokens,
        special,
        owners.astype(np.int32),
        begins,
        question,
        question_length,
        window,
        window_length,
        layout.max_length,
    )
