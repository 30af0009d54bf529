"""Which tokens are hidden, and by what: drawn anew in each step from (seed, step) alone.

Devlin et al., 2019 (BERT), section 3.1: of the tokens that are chosen 80 % become the mask, 10 % a random
token, 10 % stay; Liu et al., 2019 (RoBERTa), section 4.1: drawn anew each time that a text is seen.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from jobs.training.draws import fork, philox_uniform

Array = np.ndarray[Any, Any]

#: Of the chosen tokens, the share that becomes the mask, and the share up to which the next become random.
MASKED, RANDOM = 0.8, 0.9
#: Numbers of the draws of a step; the dropout's seed is the step's own.
_CHOICE, _FATE, _TOKEN = 1, 2, 3


@dataclass(frozen=True)
class Words:
    """What masking has to know of a vocabulary.

    Attributes:
        mask: the token that hides another.
        ordinary: tokens that are no special ones, int32 (ordinary,): random tokens are drawn from them.
        hidden_never: by token, whether it is never hidden, bool (vocabulary,): the special ones.
        begins: by token, whether a word begins with it, bool (vocabulary,).
    """

    mask: int
    ordinary: Array
    hidden_never: Array
    begins: Array


def choose(tokens: tf.Tensor, count: int, words: Words, whole_words: bool, seed: tf.Tensor) -> tf.Tensor:
    """The places of the tokens of a batch to hide, int32 (count,), among all of its tokens.

    As many in every batch, so that no shape follows from chance. Of whole words all tokens are hidden, but
    of one in a batch.

    Args:
        tokens: int32 (batch, length).
        count: how many.
        words: of the vocabulary.
        whole_words: whether the tokens of a word are hidden together.
        seed: (seed of the job, step), int64 (2,).
    """
    size = int(tokens.shape[0] * tokens.shape[1])
    draws = philox_uniform((size,), fork(seed, _CHOICE))
    flat = tf.reshape(tokens, (-1,))
    if whole_words:
        begins = tf.gather(tf.constant(words.begins), tokens)
        first = tf.cast(tf.range(tokens.shape[1]) == 0, tf.bool)[tf.newaxis, :]
        word = tf.cumsum(tf.cast(tf.reshape(begins | first, (-1,)), tf.int32)) - 1
        draws = tf.gather(draws, word)
    draws = tf.where(tf.gather(tf.constant(words.hidden_never), flat), -1.0, draws)
    # Of equal draws the first places come first: the tokens of a word stay together.
    return tf.math.top_k(draws, count).indices


def hide(tokens: tf.Tensor, places: tf.Tensor, words: Words, seed: tf.Tensor) -> tf.Tensor:
    """The tokens with those at the places hidden, int32 (batch, length).

    Args:
        tokens: int32 (batch, length).
        places: among all tokens, int32 (count,).
        words: of the vocabulary.
        seed: (seed of the job, step), int64 (2,).
    """
    count = int(places.shape[0])
    flat = tf.reshape(tokens, (-1,))
    fate = philox_uniform((count,), fork(seed, _FATE))
    drawn = philox_uniform((count,), fork(seed, _TOKEN))
    number = tf.cast(drawn * float(len(words.ordinary)), tf.int32)
    random = tf.gather(tf.constant(words.ordinary), tf.minimum(number, len(words.ordinary) - 1))
    before = tf.gather(flat, places)
    after = tf.where(fate < MASKED, words.mask, tf.where(fate < RANDOM, random, before))
    return tf.reshape(tf.tensor_scatter_nd_update(flat, places[:, tf.newaxis], after), tf.shape(tokens))


@dataclass(frozen=True)
class Hidden:
    """Rows in which the same tokens are hidden whenever they are looked at.

    Attributes:
        tokens: with the mask in place of those hidden, int32 (rows, length).
        lengths: tokens of each row, int32 (rows,).
        places: of the hidden tokens, int32 (rows, hidden).
        there: whether a place counts: a short row has fewer, bool (rows, hidden).
        truth: what was hidden, int32 (rows, hidden).
    """

    tokens: Array
    lengths: Array
    places: Array
    there: Array
    truth: Array

    def __len__(self) -> int:
        return len(self.tokens)


def hidden_for_good(tokens: Array, lengths: Array, share: float, words: Words) -> Hidden:
    """Hides a share of the tokens of each row behind the mask, always the same: a row follows from itself.

    Args:
        tokens: int32 (rows, length).
        lengths: of the rows, int32 (rows,).
        share: of the tokens; at least one of each row that has one.
        words: of the vocabulary.
    """
    rows, length = tokens.shape
    most = max(1, round(share * length))
    places = np.zeros((rows, most), np.int32)
    there = np.zeros((rows, most), bool)
    for row in range(rows):
        may: Array = np.flatnonzero(~words.hidden_never[tokens[row, : lengths[row]]])
        count = min(most, max(1, round(share * len(may)))) if len(may) else 0
        philox = np.random.Philox(key=np.array([row, 2**42], np.uint64))
        chosen = np.sort(np.random.Generator(philox).permutation(may)[:count])
        places[row, :count], there[row, :count] = chosen, True
    truth = np.take_along_axis(tokens, places, 1)
    masked = tokens.copy()
    rows_hidden, numbers = np.nonzero(there)
    masked[rows_hidden, places[rows_hidden, numbers]] = words.mask
    return Hidden(masked, lengths, places, there, truth)
