"""Batches of texts of about the same length, so that little of them is padding."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from jobs.training import Array, Passes, epoch_order

#: Batches whose texts are sorted together: enough that they differ little in length, few enough that what is
#: drawn together is drawn anew in each epoch.
WINDOW = 50
#: Widths of batches are multiples of this, so that there are few shapes.
MULTIPLE = 8


class ByLength:
    """The order of an epoch in which the rows of a batch have about the same length.

    A random order is cut into windows; the rows of a window are sorted by length and cut into batches, and
    the batches of the epoch are shuffled.

    Args:
        lengths: tokens of each row, int32 (rows,).
        passes: how many batches an epoch has, and how rows fill them.
    """

    def __init__(self, lengths: Array, passes: Passes) -> None:
        self._lengths = lengths
        self._passes = passes

    def __call__(self, seed: int, epoch: int, count: int) -> Array:
        """The rows of an epoch, int32 (batches * batch_size,): a function of its arguments alone."""
        batches, batch_size = self._passes.steps, self._passes.batch_size
        order = self._passes.filled(epoch_order(seed, epoch, count))
        size = WINDOW * batch_size
        windows = [order[first : first + size] for first in range(0, len(order), size)]
        ordered = [window[np.argsort(self._lengths[window], kind="stable")] for window in windows]
        cut = np.concatenate(ordered).reshape(batches, batch_size)
        philox = np.random.Philox(key=np.array([seed, 2**32 + epoch], dtype=np.uint64))
        shuffled: Array = cut[np.random.Generator(philox).permutation(batches)].reshape(-1)
        return shuffled.astype(np.int32)


def width_of(longest: Any) -> Any:
    """Tokens that a batch has room for, from those of its longest text; a number or a tensor."""
    return -(-longest // MULTIPLE) * MULTIPLE


def padded_batches(
    tokens: Array, lengths: Array, pad: int, batch_size: int, most: int = 2**31 - 1
) -> Iterator[tuple[Array, tuple[Array, Array]]]:
    """All texts as batches by length, the longest first, so that the last ones to be computed are short.

    Args:
        tokens: of all texts, one after the other, int32 (tokens,).
        lengths: of each text, int32 (texts,).
        pad: what fills the short ones up.
        batch_size: texts in a batch.
        most: tokens that the model has places for, where the padding ends at the latest.

    Yields:
        Numbers of texts (batch,), and their tokens int32 (batch, width) and lengths int32 (batch,).
    """
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    for chosen in batches_of(lengths, batch_size):
        places = np.arange(min(width_of(int(lengths[chosen].max())), most))
        inside = places < lengths[chosen, np.newaxis]  # (batch, width)
        padded = np.full(inside.shape, pad, np.int32)
        padded[inside] = tokens[(starts[chosen, np.newaxis] + places)[inside]]
        yield chosen, (padded, lengths[chosen])


def batches_of(lengths: Array, batch_size: int) -> Iterator[Array]:
    """All rows, in batches by length, the longest first: int64 (batch_size or fewer,) each."""
    order = np.argsort(-lengths, kind="stable")
    for first in range(0, len(order), batch_size):
        yield order[first : first + batch_size]
