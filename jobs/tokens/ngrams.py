"""What the simplest methods make of the next token: how frequent it is, and a 5-gram.

The 5-gram interpolates with shorter ones by Witten and Bell (1991; Chen and Goodman, 1999, equation 16): of a
context h, seen c(h) times with T(h) different tokens after it,

    p(w | h) = (c(h w) + T(h) p(w | h without its first token)) / (c(h) + T(h)).
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: Tokens that the counts are made of, at most: the first ones.
MOST = 20_000_000
ORDER = 5
_PRIME = np.uint64(0x9E3779B97F4A7C15)


def unigram_losses(train: Array, tokens: Array, vocabulary: int) -> Array:
    """Nats of each token by how frequent it is, one added to every count, float64 (tokens,)."""
    counts = np.bincount(train, minlength=vocabulary) + 1.0
    found: Array = -np.log(counts / counts.sum())[tokens]
    return found


def five_gram_losses(train: Array, tokens: Array, vocabulary: int) -> Array:
    """Nats of each token by the four before it, float64 (tokens,); the first ones have fewer.

    Args:
        train: what is counted, (tokens,); the first `MOST`.
        tokens: what is told, (tokens,).
        vocabulary: tokens that there are.
    """
    counted = np.asarray(train[:MOST])
    shares = np.full(len(tokens), 1.0 / vocabulary)
    for before in range(ORDER):
        contexts, pairs = _hashes(counted, before)
        asked_contexts, asked_pairs = _hashes(np.asarray(tokens), before)
        known_pairs, first, counts = np.unique(pairs, return_index=True, return_counts=True)
        known, totals = np.unique(contexts, return_counts=True)
        _, kinds = np.unique(contexts[first], return_counts=True)
        total, kind = _of(known, asked_contexts, totals), _of(known, asked_contexts, kinds)
        count, lower = _of(known_pairs, asked_pairs, counts), shares[before:]
        mixed = (count + kind * lower) / np.maximum(total + kind, 1)
        shares[before:] = np.where(total > 0, mixed, lower)
    found: Array = -np.log(shares)
    return found


def _hashes(tokens: Array, before: int) -> tuple[Array, Array]:
    """Of each token that has so many before it: these, and these with it, uint64 (tokens - before,)."""
    count = max(0, len(tokens) - before)
    found = np.zeros(count, np.uint64)
    for offset in range(before):
        found = _mixed(found, tokens[offset : offset + count])
    return found, _mixed(found, tokens[before:])


def _mixed(found: Array, column: Array) -> Array:
    mixed: Array = (found ^ (found >> np.uint64(29))) * _PRIME + column.astype(np.uint64) + np.uint64(1)
    return mixed


def _of(keys: Array, wanted: Array, values: Array) -> Array:
    """The values of keys, 0 where there is none."""
    if not len(keys):
        return np.zeros(len(wanted))
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: Array = np.where(keys[at] == wanted, values[at], 0).astype(np.float64)
    return found
