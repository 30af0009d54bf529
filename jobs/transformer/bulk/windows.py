"""Many texts, some thousand at a time: read and tokenised ahead, computed by length, put back into order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import TypeVar

import numpy as np

from jobs.datasets.texts.rows import Row
from jobs.pretrained.tokens import CHARACTERS_PER_TOKEN, Array, Tokenizer
from jobs.transformer.bulk.engine import Batch, Engine
from jobs.transformer.encoder.lengths import padded_batches

_T = TypeVar("_T")

#: Batches of a window, among which texts are sorted by length.
BATCHES = 32
#: Rows of a window at most, however large the batches, and characters after which one ends early: what a
#: window takes of the memory has a bound.
MOST_ROWS, MOST_CHARACTERS = 16_384, 2**24
#: Characters of a text that are kept for the output.
SHOWN = 1_000
CUT = "cut"


@dataclass(frozen=True, eq=False)
class Window:
    """Rows of a file, one after the other, ready to be computed.

    Attributes:
        first: the number of its first row.
        texts: of each row, its first characters; None for a row without a text.
        remarks: what there is to say of each row; empty for most.
        batches: numbers of rows within the window (batch,), their tokens (batch, width), lengths (batch,).
    """

    first: int
    texts: list[str | None]
    remarks: list[str]
    batches: list[tuple[Array, Array, Array]]

    @property
    def end(self) -> int:
        """The number of the row after the last one."""
        return self.first + len(self.texts)


def windows(rows: Iterable[Row], tokenizer: Tokenizer, batch_size: int, first: int = 0) -> Iterator[Window]:
    """Cuts rows into windows; where one ends depends on the rows from its first one on, and on no more.

    Args:
        rows: all of them, in order.
        tokenizer: cuts texts to a number of tokens.
        batch_size: texts in a batch.
        first: the row that the first window begins with: 0, or the end of a window.
    """
    for block in _blocks(rows, tokenizer.max_length, batch_size, first):
        yield _window(first, block, tokenizer, batch_size)
        first += len(block)


def ends(rows: Iterable[Row], max_length: int, batch_size: int) -> list[int]:
    """The row after each window, found by reading alone.

    Args:
        rows: all of them, in order.
        max_length: tokens of a text that are read.
        batch_size: texts in a batch.
    """
    return list(accumulate(len(block) for block in _blocks(rows, max_length, batch_size, 0)))


def _blocks(rows: Iterable[Row], max_length: int, batch_size: int, first: int) -> Iterator[list[Row]]:
    found = islice(iter(rows), first, None)
    while block := _block(found, min(BATCHES * batch_size, MOST_ROWS), max_length):
        yield block


def _block(rows: Iterator[Row], most: int, max_length: int) -> list[Row]:
    block, characters = [], 0
    longest = max(SHOWN, CHARACTERS_PER_TOKEN * max_length) + 1  # one more: the tokenizer sees that it is cut
    for row in islice(rows, most):
        if row.text is not None and len(row.text) > longest:
            row = Row(row.text[:longest], row.remark)
        block.append(row)
        characters += len(row.text or "")
        if characters >= MOST_CHARACTERS:
            break
    return block


def _window(first: int, block: list[Row], tokenizer: Tokenizer, batch_size: int) -> Window:
    texts = [row.text for row in block]
    remarks = [row.remark for row in block]
    numbers = np.array([number for number, text in enumerate(texts) if text is not None], np.int64)
    tokens, lengths, cut = tokenizer.encoded([text for text in texts if text is not None])
    for number in numbers[cut]:
        remarks[number] = f"{remarks[number]}, {CUT}" if remarks[number] else CUT
    found = padded_batches(tokens, lengths, tokenizer.pad, batch_size, tokenizer.positions)
    batches = [(numbers[chosen], *batch) for chosen, batch in found]
    shown = [text and text[:SHOWN] for text in texts]
    return Window(first, shown, remarks, batches)


def ahead(found: Iterator[_T]) -> Iterator[_T]:
    """The same windows, the next one made by a thread while this one is computed."""
    with ThreadPoolExecutor(1, thread_name_prefix="tokenizer") as thread:
        coming = thread.submit(next, found, None)
        while (window := coming.result()) is not None:
            coming = thread.submit(next, found, None)
            yield window


def computed(
    engine: Engine, found: Iterable[Window], columns: int, go_on: Callable[[int], bool]
) -> Iterator[tuple[Window, Array]]:
    """Each window with the engine's outputs in the order of its rows, float32 (rows, columns).

    Rows without a text are NaN. The engine is given batches of the next window before this one is done, so
    that it never waits for the slowest.

    Args:
        engine: computes.
        found: what.
        columns: numbers in an output.
        go_on: called after each batch with the rows done so far, from the first window's on; False ends the
            work, and what is computed of the window is left out.
    """
    waiting: deque[Window] = deque()

    def batches() -> Iterator[Batch]:
        for window in found:
            waiting.append(window)
            for _, tokens, lengths in window.batches:
                yield tokens, lengths

    outputs, done = engine.run(batches()), 0
    for output in outputs:
        while not waiting[0].batches:
            done += len(waiting[0].texts)
            yield waiting[0], _nothing(waiting.popleft(), columns)
        window = waiting[0]
        values, last = _nothing(window, columns), len(window.batches) - 1
        for number, (rows, *_) in enumerate(window.batches):
            values[rows] = next(outputs) if number else output
            done += len(rows)
            if not go_on(done) and number < last:
                return
        done += window.texts.count(None)
        yield waiting.popleft(), values
    for window in waiting:
        yield window, _nothing(window, columns)


def _nothing(window: Window, columns: int) -> Array:
    return np.full((len(window.texts), columns), np.nan, np.float32)
