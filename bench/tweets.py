"""The texts of `bench.transformer_training`, without TensorFlow or PyTorch: the same batches for both."""

import os
import resource
import time
from collections.abc import Callable, Sequence
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
        self.train, self.test = arrays["train"], arrays["test"]
        self._tokens = arrays["tokens"].astype(np.int32)
        self._starts = np.cumsum(self.lengths) - self.lengths

    def sample(self, batch: int) -> list[np.ndarray]:
        """Batches by length, evenly spread over those of an epoch, in a random order: rows of each.

        Any pass over them has the epoch's mixture of lengths, so that short measurements can be compared.
        """
        draws = np.random.default_rng(0)
        batches = sorted(self.epoch(batch, draws), key=lambda rows: int(self.lengths[rows].max()))
        places = np.linspace(0, len(batches) - 1, SAMPLE).round().astype(int)
        return [batches[place] for place in draws.permutation(places)]

    def epoch(self, batch: int, draws: np.random.Generator) -> list[np.ndarray]:
        """The batches of an epoch, as `jobs.transformer.encoder.lengths` makes them: rows of each."""
        order = draws.permutation(self.train)
        order = order[: len(order) // batch * batch]
        windows = [order[first : first + WINDOW * batch] for first in range(0, len(order), WINDOW * batch)]
        ordered = np.concatenate([window[np.argsort(self.lengths[window])] for window in windows])
        batches = ordered.reshape(-1, batch)
        return [batches[place] for place in draws.permutation(len(batches))]

    def padded(self, rows: np.ndarray, width: int) -> np.ndarray:
        """The tokens of the rows, int32 (rows, width)."""
        tokens = np.zeros((len(rows), width), np.int32)
        for line, row in zip(tokens, rows, strict=True):
            line[: self.lengths[row]] = self._tokens[self._starts[row] :][: self.lengths[row]]
        return tokens

    def longest(self, rows: np.ndarray, multiple: int = 1) -> int:
        """The width of a batch."""
        return -(-int(self.lengths[rows].max()) // multiple) * multiple


def timed(
    step: Callable[[np.ndarray], object], batches: Sequence[np.ndarray], seconds: float
) -> tuple[float, float, int]:
    """Passes over the batches for so long.

    Returns:
        Examples a second, the same by processor time, and the highest memory in MiB.
    """
    began, processor, done = time.monotonic(), time.process_time(), 0
    while time.monotonic() - began < seconds:
        for rows in batches:
            step(rows)
            done += len(rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    worked = (time.process_time() - processor) / (os.cpu_count() or 1)
    return done / (time.monotonic() - began), done / worked, peak
