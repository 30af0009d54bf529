"""Answers to prompts: batches of about the same length, token by token, each row by itself."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import tensorflow as tf

from jobs.errors import BadInput
from jobs.transformer.decoder.cache import GraphSession, tensors
from jobs.transformer.decoder.folders import Decoder
from jobs.transformer.decoder.forward import Weights
from jobs.transformer.decoder.layout import Array, Layout
from jobs.transformer.decoder.sampling import Sampling, draw
from jobs.transformer.decoder.session import Session, rows_for, slots_for
from jobs.transformer.decoder.texts import Texts

KINDS = {"float32": tf.float32, "bfloat16": tf.bfloat16}


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be answered.

    Attributes:
        row: of the prompt among all.
        answer: which of several answers to it.
        tokens: of the prompt, int32 (at least 1,).
    """

    row: int
    answer: int
    tokens: Array


@dataclass(frozen=True)
class Answer:
    """What was generated.

    Attributes:
        text: without special tokens, and without the text that ended it.
        tokens: how many, the one that ended it included.
        finish: `end` by a token that ends answers, `stop` by a text, or `length`.
    """

    text: str
    tokens: int
    finish: str


@dataclass(frozen=True)
class Wish:
    """How to answer.

    Attributes:
        seed: of all draws.
        sampling: how tokens are chosen.
        most: tokens of an answer.
        stops: texts that end an answer.
        ends: tokens that end an answer.
    """

    seed: int
    sampling: Sampling
    most: int
    stops: tuple[str, ...]
    ends: frozenset[int]


@dataclass
class _Row:
    request: Request
    tokens: list[int] = field(default_factory=list)
    answer: Answer | None = None


class Generator:
    """A decoder with its tokenizer, and the programs that were compiled for it.

    Args:
        decoder: its layout and weights.
        texts: its tokenizer.
        precision: `float32`, `bfloat16` or, of OpenVINO, `int8`.
        library: `tensorflow` or `openvino`.
    """

    def __init__(self, decoder: Decoder, texts: Texts, precision: str, library: str = "tensorflow") -> None:
        layout = decoder.layout
        if library == "openvino":
            from jobs.transformer.decoder.openvino import OpenVinoDecoder

            self._set(layout, texts, OpenVinoDecoder(layout, decoder.weights, precision).session)
        else:
            kind = KINDS[precision]
            weights = tensors(decoder.weights, kind)
            self._set(layout, texts, lambda *shape: GraphSession(layout, lambda: weights, kind, *shape))

    @classmethod
    def of(cls, layout: Layout, weights: Callable[[], Weights], kind: tf.DType, texts: Texts) -> Self:
        """Of a decoder in training.

        Args:
            layout: of the decoder.
            weights: its variables by name, as they are whenever something is generated.
            kind: of activations and products.
            texts: its tokenizer.
        """
        found = cls.__new__(cls)
        found._set(layout, texts, lambda *shape: GraphSession(layout, weights, kind, *shape))
        return found

    def _set(self, layout: Layout, texts: Texts, session: Callable[[int, int], Session]) -> None:
        self.layout, self.texts, self._new_session = layout, texts, session
        self._session: Session | None = None

    def answers(
        self, requests: Sequence[Request], wish: Wish, batch_size: int, go_on: Callable[[int], bool]
    ) -> Iterator[tuple[Request, Answer]]:
        """Every request with its answer, in the order in which they are done.

        Batches have fixed shapes, and no number of a row depends on the others in its batch.

        Args:
            requests: in any order.
            wish: how to answer.
            batch_size: rows that are computed together.
            go_on: asked before every token, with the answers given so far; False ends the work.
        """
        done = 0
        for slots, batch in self._batches(requests, wish.most, batch_size):
            rows = rows_for(self.layout, batch_size, slots)
            for first in range(0, len(batch), rows):
                some = [_Row(request) for request in batch[first : first + rows]]
                if not self._answer(some, self._of(rows, slots), wish, lambda: go_on(done)):  # noqa: B023
                    return
                for row in some:
                    assert row.answer is not None  # noqa: S101 - all are answered by now
                    done += 1
                    yield row.request, row.answer

    def _batches(
        self, requests: Sequence[Request], most: int, batch_size: int
    ) -> Iterator[tuple[int, list[Request]]]:
        """Requests by the slots that they need, and by their length within these."""
        by_slots: dict[int, list[Request]] = {}
        for request in sorted(requests, key=lambda each: len(each.tokens)):
            by_slots.setdefault(slots_for(len(request.tokens) + most), []).append(request)
        yield from by_slots.items()

    def _of(self, rows: int, slots: int) -> Session:
        """The session of a shape; one is kept, as its cache takes much."""
        if self._session is None or (self._session.rows, self._session.slots) != (rows, slots):
            self._session = None
            self._session = self._new_session(rows, slots)
        return self._session

    def _answer(self, rows: list[_Row], session: Session, wish: Wish, go_on: Callable[[], bool]) -> bool:
        if not go_on():
            return False
        logits = session.prompts([row.request.tokens for row in rows])
        places = np.zeros(session.rows, np.int32)
        places[: len(rows)] = [len(row.request.tokens) for row in rows]
        tokens = np.zeros(session.rows, np.int32)
        while True:
            for number, row in enumerate(rows):
                if row.answer is None:
                    tokens[number] = self._choose(row, logits[number], wish)
            if all(row.answer for row in rows):
                return True
            if not go_on():
                return False
            logits = session.next(tokens, np.minimum(places, session.slots - 1))
            places += 1

    def _choose(self, row: _Row, logits: Array, wish: Wish) -> int:
        if not np.isfinite(logits).all():
            raise BadInput("the model gives numbers that are not finite: it is damaged, or needs float32")
        request, place = row.request, len(row.tokens)
        seen = np.concatenate([request.tokens, np.array(row.tokens, np.int32)])
        number = draw(wish.seed, request.row, request.answer, place)
        token = wish.sampling.choose(logits, seen, number)
        row.tokens.append(token)
        if token in wish.ends:
            row.answer = Answer(self.texts.decoded(row.tokens[:-1]), place + 1, "end")
        elif (text := self._stopped(row.tokens, wish.stops)) is not None:
            row.answer = Answer(text, place + 1, "stop")
        elif place + 1 == wish.most:
            row.answer = Answer(self.texts.decoded(row.tokens), place + 1, "length")
        return token

    def _stopped(self, tokens: list[int], stops: tuple[str, ...]) -> str | None:
        """The text before the first of the stop texts, if one is there."""
        if not stops:
            return None
        text = self.texts.decoded(tokens)
        places = [place for stop in stops if (place := text.find(stop)) >= 0]
        return text[: min(places)] if places else None
