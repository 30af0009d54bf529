"""Batches of texts of about the same length, so that little of them is padding."""

from collections.abc import Iterator

import numpy as np

from jobs.training import Array, epoch_order

#: Batches whose texts are sorted together: enough that they differ little in length, few enough that what is
#: drawn together is drawn anew in each epoch.
WINDOW = 50
#: Widths of batches are multiples of this, so that there are few shapes.
MULTIPLE = 8


class ByLength:
    """The order of an epoch in which the rows of a batch have about the same length.

    A random order is cut into windows; the rows of a window are sorted by length and cut into batches, and
    the batches of the epoch are shuffled. What the batch size leaves over sits the epoch out.

    Args:
        lengths: tokens of each row, int32 (rows,).
        batch_size: rows of a batch.
    """

    def __init__(self, lengths: Array, batch_size: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size

    def __call__(self, seed: int, epoch: int, count: int) -> Array:
        """The rows of an epoch, int32 (batches * batch_size,): a function of its arguments alone."""
        batches = count // self._batch_size
        order = epoch_order(seed, epoch, count)[: batches * self._batch_size]
        size = WINDOW * self._batch_size
        windows = [order[first : first + size] for first in range(0, len(order), size)]
        ordered = [window[np.argsort(self._lengths[window], kind="stable")] for window in windows]
        cut = np.concatenate(ordered).reshape(batches, self._batch_size)
        philox = np.random.Philox(key=np.array([seed, 2**32 + epoch], dtype=np.uint64))
        shuffled: Array = cut[np.random.Generator(philox).permutation(batches)].reshape(-1)
        return shuffled.astype(np.int32)


def batches_of(lengths: Array, batch_size: int) -> Iterator[Array]:
    """All rows, in batches by length, the longest first: int64 (batch_size or fewer,) each."""
    order = np.argsort(-lengths, kind="stable")
    for first in range(0, len(order), batch_size):
        yield order[first : first + batch_size]
