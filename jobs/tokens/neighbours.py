"""What the simplest methods make of hidden tokens: how frequent a token is, and a 5-gram around the place.

The 5-gram filler interpolates, by Witten and Bell (1991; Chen and Goodman, 1999, equation 16), how often a
token came between these neighbours: two on each side, then fewer, then the unigram.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: Tokens that the counts are made of, at most: the first ones.
MOST = 20_000_000
#: From the left neighbour outwards; and, where that is hidden itself, from the right one.
_CHAINS = (((-1,), (-1, 1), (-2, -1, 1), (-2, -1, 1, 2)), ((1,), (1, 2)))
_PRIME = np.uint64(0x9E3779B97F4A7C15)


class Unigram:
    """How frequent each token is, one added to every count.

    Args:
        tokens: of the training part, (tokens,).
        vocabulary: how many there are.
    """

    def __init__(self, tokens: Array, vocabulary: int) -> None:
        counts = np.bincount(tokens, minlength=vocabulary) + 1.0
        self.shares: Array = counts / counts.sum()

    def of(self, truth: Array) -> Array:
        """The probability of tokens, float64 of the same shape."""
        found: Array = self.shares[truth]
        return found


@dataclass(frozen=True)
class _Order:
    """Counts of one set of neighbours, sorted by their hashes."""

    contexts: Array
    totals: Array
    kinds: Array
    pairs: Array
    counts: Array

    def smoothed(self, context: Array, pair: Array, lower: Array) -> Array:
        """The probability with this order on top of a lower one."""
        total, kinds = _found(self.contexts, context, self.totals, self.kinds)
        (count,) = _found(self.pairs, pair, self.counts)
        mixed: Array = (count + kinds * lower) / np.maximum(total + kinds, 1)
        return np.where(total > 0, mixed, lower)


class Filler:
    """Tells the probability of a hidden token from its neighbours.

    Args:
        tokens: of the training part, (tokens,); the first `MOST` are counted.
        vocabulary: how many there are.
    """

    def __init__(self, tokens: Array, vocabulary: int) -> None:
        counted = np.asarray(tokens[:MOST])
        self.unigram = Unigram(counted, vocabulary)
        self._orders = {places: _counted(counted, places) for chain in _CHAINS for places in chain}

    def of(self, rows: Array, seen: Array, row: Array, place: Array, truth: Array) -> Array:
        """The probability of hidden tokens, float64 (hidden,).

        Args:
            rows: tokens, (rows, length).
            seen: which of them are there to be looked at, bool (rows, length).
            row: of each hidden token, (hidden,).
            place: in its row, (hidden,).
            truth: what was hidden, (hidden,).
        """
        found = self.unigram.of(truth)
        from_left = _there(seen, row, place - 1)
        for number, chain in enumerate(_CHAINS):
            going = from_left if number == 0 else ~from_left
            for places in chain:
                going = going & np.all([_there(seen, row, place + offset) for offset in places], axis=0)
                at = np.flatnonzero(going)
                context = _hash([rows[row[at], place[at] + offset] for offset in places])
                pair = _mixed(context, truth[at])
                found[at] = self._orders[places].smoothed(context, pair, found[at])
        return found


def _there(seen: Array, row: Array, place: Array) -> Array:
    inside = (place >= 0) & (place < seen.shape[1])
    found: Array = inside & seen[row, np.clip(place, 0, seen.shape[1] - 1)]
    return found


def _counted(tokens: Array, places: tuple[int, ...]) -> _Order:
    before, after = max(0, -min(places)), max(0, *places)
    count = max(0, len(tokens) - before - after)
    context = _hash([tokens[before + offset : before + offset + count] for offset in places])
    pairs, first, counts = np.unique(
        _mixed(context, tokens[before : before + count]), return_index=True, return_counts=True
    )
    contexts, totals = np.unique(context, return_counts=True)
    _, kinds = np.unique(context[first], return_counts=True)
    return _Order(contexts, totals, kinds, pairs, counts)


def _hash(columns: list[Array]) -> Array:
    found = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        found = _mixed(found, column)
    return found


def _mixed(found: Array, column: Array) -> Array:
    mixed: Array = (found ^ (found >> np.uint64(29))) * _PRIME + column.astype(np.uint64) + np.uint64(1)
    return mixed


def _found(keys: Array, wanted: Array, *values: Array) -> list[Array]:
    """The values of keys, 0 where there is none."""
    if not len(keys):
        return [np.zeros(len(wanted)) for _ in values]
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    there = keys[at] == wanted
    return [np.where(there, each[at], 0).astype(np.float64) for each in values]
