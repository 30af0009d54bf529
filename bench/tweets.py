"""The texts of `bench.transformer_training`, without TensorFlow or PyTorch: the same batches for both."""

from pathlib import Path

import numpy as np

WINDOW, SAMPLE = 50, 24


class Tweets:
    """Texts as tokens.

    Args:
        path: what `bench.finetuning.write_rows` wrote.
    """

    def __init__(self, path: Path) -> None:
        arrays = np.load(path)
        self.lengths, self.labels = arrays["lengths"].astype(np.int32), arrays["labels"].astype(np.int32)
        self._train, self._tokens = arrays["train"], arrays["tokens"].astype(np.int32)
        self._starts = np.cumsum(self.lengths) - self.lengths

    def sample(self, batch: int) -> list[np.ndarray]:
        """Batches by length, evenly spread over those of an epoch, in a random order: rows of each.

        Any pass over them has the epoch's mixture of lengths, so that short measurements can be compared.
        """
        draws = np.random.default_rng(0)
        order = draws.permutation(self._train)
        size = WINDOW * batch
        windows = [order[first : first + size] for first in range(0, len(order) - size + 1, size)]
        ordered = np.concatenate([window[np.argsort(self.lengths[window])] for window in windows])
        batches = sorted(ordered.reshape(-1, batch), key=lambda rows: int(self.lengths[rows].max()))
        places = np.linspace(0, len(batches) - 1, SAMPLE).round().astype(int)
        return [batches[place] for place in draws.permutation(places)]

    def padded(self, rows: np.ndarray, width: int) -> np.ndarray:
        """The tokens of the rows, int32 (rows, width)."""
        tokens = np.zeros((len(rows), width), np.int32)
        for line, row in zip(tokens, rows, strict=True):
            line[: self.lengths[row]] = self._tokens[self._starts[row] :][: self.lengths[row]]
        return tokens

    def longest(self, rows: np.ndarray, multiple: int = 1) -> int:
        """The width of a batch."""
        return -(-int(self.lengths[rows].max()) // multiple) * multiple
