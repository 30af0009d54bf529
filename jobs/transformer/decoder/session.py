"""A batch of rows that are read and go on, token by token, whatever computes them.

A row's tokens lie from slot 0 of its cache on, whatever else is in the batch; slots that a row has not
reached get a score of `MASKED`, of which nothing is left. So a row's numbers depend on that row, on how many
rows a batch has room for and on the number of slots alone.
"""

import numpy as np

from jobs.transformer.decoder.layout import Array, Layout

#: Slots of a cache: a few numbers, so that a few programs do for all lengths.
SLOTS = tuple(size * step for size in (2**n for n in range(5, 17)) for step in (2, 3))
#: Tokens of prompts that are computed at once; of the smallest caches, half as many.
CHUNK = 64
#: Scores of one layer that are in memory at once, at most; batches of long rows are smaller for it.
MOST_SCORES = 2**26


def slots_for(tokens: int) -> int:
    """The smallest cache for so many tokens."""
    return int(next(size for size in SLOTS if size >= tokens))


def chunk_of(slots: int) -> int:
    """Tokens of a prompt that a step takes, by the slots of its cache, which it divides."""
    return CHUNK if slots >= 2 * CHUNK else CHUNK // 2


def rows_for(layout: Layout, batch_size: int, slots: int) -> int:
    """Rows of a batch, a power of two: as many as wanted, or as fit."""
    most = max(1, MOST_SCORES // (layout.heads * chunk_of(slots) * slots))
    rows = 1
    while 2 * rows <= min(batch_size, most):
        rows *= 2
    return rows


class Session:
    """One program for prompts and one for single tokens.

    Args:
        layout: of the decoder.
        rows: in a batch.
        slots: of a row.
    """

    def __init__(self, layout: Layout, rows: int, slots: int) -> None:
        self.rows, self.slots, self.chunk = rows, slots, chunk_of(slots)
        self._layout = layout

    def step(self, tokens: Array, starts: Array, last: Array) -> Array:
        """Reads some more tokens of each row; logits after one of them, float32 (rows, vocabulary).

        Args:
            tokens: int32 (rows, 1 or `chunk`).
            starts: place of the first of them in its row, int32 (rows,).
            last: which of them the logits are wanted after, int32 (rows,).
        """
        raise NotImplementedError

    def prompts(self, tokens: list[Array]) -> Array:
        """Reads the prompts from their first token on; logits of what comes next, float32 (rows, vocabulary).

        Args:
            tokens: of each row, int32 (at least 1,); at most as many as there are rows.
        """
        lengths = np.ones(self.rows, np.int32)
        lengths[: len(tokens)] = [len(each) for each in tokens]
        width = -(-int(lengths.max()) // self.chunk) * self.chunk
        padded = np.zeros((self.rows, width), np.int32)
        for row, each in enumerate(tokens):
            padded[row, : len(each)] = each
        found = np.zeros((self.rows, self._layout.vocabulary), np.float32)
        for start in range(0, width, self.chunk):
            last = np.clip(lengths - 1 - start, 0, self.chunk - 1).astype(np.int32)
            given = padded[:, start : start + self.chunk]
            new = self.step(given, np.full(self.rows, start, np.int32), last)
            ends = (lengths > start) & (lengths <= start + self.chunk)
            found[ends] = new[ends]
        return found

    def next(self, tokens: Array, places: Array) -> Array:
        """Reads one more token of each row; logits of the one after it, float32 (rows, vocabulary).

        Args:
            tokens: int32 (rows,).
            places: of them in their rows, int32 (rows,).
        """
        return self.step(tokens[:, None], places, np.zeros(self.rows, np.int32))
