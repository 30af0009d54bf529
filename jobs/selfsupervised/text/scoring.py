"""How well hidden tokens are told, beside how well the simplest methods tell the same ones."""

import math
from typing import Any

import numpy as np

from jobs.selfsupervised.text.masking import Hidden
from jobs.selfsupervised.text.spec import MaskedScores
from jobs.tokens.neighbours import Filler
from jobs.tokens.stream import Stream

Array = np.ndarray[Any, Any]

#: A perplexity of less than this share of the unigram's says that something was learnt from what is around.
LEARNT = 0.95


def baselines(train: Stream, vocabulary: int, hidden: Hidden) -> tuple[float, float]:
    """The perplexities of the unigram and of the 5-gram filler on hidden tokens.

    Args:
        train: what they count.
        vocabulary: tokens that there are.
        hidden: rows with hidden tokens.
    """
    filler = Filler(train.tokens, vocabulary)
    row, number = np.nonzero(hidden.there)
    place, truth = hidden.places[row, number], hidden.truth[row, number]
    seen = np.arange(hidden.tokens.shape[1]) < hidden.lengths[:, None]
    seen[:, 0] = False  # the ends of a row are no text
    seen[np.arange(len(seen)), hidden.lengths - 1] = False
    seen[row, place] = False
    known = filler.of(hidden.tokens, seen, row, place, truth)
    return _perplexity(-np.log(filler.unigram.of(truth))), _perplexity(-np.log(known))


def scores_of(losses: Array, right: Array, hidden: Hidden, simplest: tuple[float, float]) -> MaskedScores:
    """The figures of a model.

    Args:
        losses: of each place in nats, (rows, hidden).
        right: whether the most probable token is the right one, bool (rows, hidden).
        hidden: what was hidden; there is at least one token.
        simplest: of `baselines`.
    """
    loss = float(losses[hidden.there].mean(dtype=np.float64))
    return MaskedScores(
        tokens=int(hidden.there.sum()),
        loss=loss,
        perplexity=_perplexity(np.array([loss])),
        accuracy=float(right[hidden.there].mean()),
        unigram=simplest[0],
        five_gram=simplest[1],
    )


def warning_of(scores: MaskedScores) -> str:
    """What to say of a model that has learnt no more than how frequent tokens are; else nothing."""
    if scores.perplexity < LEARNT * scores.unigram:
        return ""
    return (
        f"the perplexity of {scores.perplexity:.1f} is about the unigram's, {scores.unigram:.1f}: the "
        "model has not learnt to look at what is around; train for more epochs, with another "
        "learning_rate, or on more text"
    )


def _perplexity(losses: Array) -> float:
    return math.exp(min(float(np.mean(losses, dtype=np.float64)), 700.0))
