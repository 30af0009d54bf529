"""Which tokens are hidden, what the simplest methods make of them, and how matrices are updated."""

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from jobs.selfsupervised.text.masking import Words, choose, hidden_for_good, hide
from jobs.selfsupervised.text.scoring import baselines
from jobs.tokens.neighbours import Filler
from jobs.tokens.stream import Stream
from jobs.transformer.encoder.muon import Muon, orthogonal

SIZE, MASK, SPECIAL = 50, 4, 5
NEVER = np.arange(SIZE) < SPECIAL
#: A word begins with every even token.
WORDS = Words(MASK, np.arange(SPECIAL, SIZE, dtype=np.int32), NEVER, (np.arange(SIZE) % 2 == 0) | NEVER)


def seed(step: int) -> object:
    return tf.constant([7, step], tf.int64)


def tokens(rows: int = 40, length: int = 50) -> np.ndarray:
    found = np.random.default_rng(0).integers(SPECIAL, SIZE, (rows, length)).astype(np.int32)
    found[:, 0], found[:, -1], found[::3, 20] = 0, 2, 2
    return found


def test_a_draw_follows_from_seed_and_step_alone():
    given = tf.constant(tokens())
    first, again, other = (
        choose(given, 100, WORDS, False, seed(step)).numpy().tolist() for step in (1, 1, 2)
    )
    assert first == again != other
    assert len(set(first)) == 100
    assert not NEVER[tokens().reshape(-1)[first]].any()
    assert np.array_equal(*(hide(given, tf.constant(first), WORDS, seed(1)) for _ in range(2)))


def test_eight_of_ten_become_the_mask_one_a_random_token_and_one_stays():
    given = tokens()
    places = choose(tf.constant(given), 1500, WORDS, False, seed(3))
    after = hide(tf.constant(given), places, WORDS, seed(3)).numpy().reshape(-1)
    before, chosen = given.reshape(-1), places.numpy()
    rest = np.setdiff1d(np.arange(len(before)), chosen)
    assert np.array_equal(before[rest], after[rest])
    masked, same = (after[chosen] == MASK).mean(), (after[chosen] == before[chosen]).mean()
    assert abs(masked - 0.8) < 0.03
    assert abs(same - 0.1) < 0.03
    random = after[chosen][(after[chosen] != MASK) & (after[chosen] != before[chosen])]
    assert random.min() >= SPECIAL
    assert len(set(random.tolist())) > 30


def test_the_tokens_of_a_word_are_hidden_together():
    given = tokens()
    chosen = set(choose(tf.constant(given), 300, WORDS, True, seed(5)).numpy().tolist())
    flat, cut = given.reshape(-1), 0
    begins = np.flatnonzero(WORDS.begins[flat] | (np.arange(len(flat)) % given.shape[1] == 0))
    for first, end in zip(begins, [*begins[1:], len(flat)], strict=True):
        inside = [place in chosen for place in range(first, end) if not NEVER[flat[place]]]
        cut += any(inside) and not all(inside)
    assert cut <= 1  # the one that the number of tokens to hide has cut
    assert len(chosen) == 300


def test_rows_that_are_looked_at_hide_the_same_tokens_always():
    given, lengths = tokens(6, 30), np.array([30, 30, 12, 3, 2, 30], np.int32)
    for row, length in enumerate(lengths):
        given[row, length - 1 :] = 2
    given[5, 1:] = 2
    found, again = (hidden_for_good(given, lengths, 0.15, WORDS) for _ in range(2))
    assert np.array_equal(found.tokens, again.tokens)
    assert found.there.sum(1).tolist() == [4, 4, 2, 1, 0, 0]
    for row, number in np.argwhere(found.there):
        place = found.places[row, number]
        assert found.tokens[row, place] == MASK
        assert found.truth[row, number] == given[row, place] >= SPECIAL
        assert place < lengths[row]
    assert (found.tokens != given).sum() == found.there.sum()


def brute_force(text: list[int], around: dict[int, int], truth: int, vocabulary: int) -> float:
    """Witten and Bell's interpolation, written out."""
    share = (text.count(truth) + 1) / (len(text) + vocabulary)
    left = [(-1,), (-1, 1), (-2, -1, 1), (-2, -1, 1, 2)]
    for places in left if -1 in around else [(1,), (1, 2)]:
        if not set(places) <= around.keys():
            break
        at = range(max(0, -min(places)), len(text) - max(0, *places))
        found = [text[n] for n in at if all(text[n + offset] == around[offset] for offset in places)]
        counts = Counter(found)
        if found:
            share = (counts[truth] + len(counts) * share) / (len(found) + len(counts))
    return share


def test_the_5_gram_filler_is_witten_and_bells_interpolation():
    rng = np.random.default_rng(1)
    text = rng.integers(0, 4, 400)
    rows = rng.integers(0, 4, (12, 9))
    seen = rng.random((12, 9)) < 0.8
    row, place = np.nonzero(~seen)
    filler = Filler(text.astype(np.uint16), 6)
    found = filler.of(rows, seen, row, place, rows[row, place])
    for number, (r, p) in enumerate(zip(row, place, strict=True)):
        around = {
            offset: int(rows[r, p + offset])
            for offset in (-2, -1, 1, 2)
            if 0 <= p + offset < 9 and seen[r, p + offset]
        }
        assert found[number] == pytest.approx(brute_force(text.tolist(), around, int(rows[r, p]), 6))
    shares = sum(
        Filler(text, 6).of(rows[:1], np.ones((1, 9), bool), np.zeros(1, int), np.full(1, 4), np.full(1, word))
        for word in range(6)
    )
    assert shares == pytest.approx(1)


def test_the_simplest_methods_see_what_the_model_sees():
    train = np.resize(np.arange(SPECIAL, SPECIAL + 7), 700).astype(np.uint16)
    rows = np.full((4, 20), 2, np.int32)
    rows[:, 0] = 0
    rows[:, 1:19] = train[:72].reshape(4, 18)
    hidden = hidden_for_good(rows, np.full(4, 20, np.int32), 0.05, WORDS)
    unigram, five_gram = baselines(Stream(train, np.array([700]), 0), SIZE, hidden)
    assert unigram == pytest.approx(7.5, abs=0.1)
    assert five_gram < 1.2  # each token follows from its neighbours


def test_an_orthogonal_matrix_has_the_singular_vectors_and_values_near_one():
    for shape in ((6, 4), (4, 6), (5, 5)):
        matrix = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
        left, _, right = np.linalg.svd(matrix, full_matrices=False)
        values = np.diag(left.T @ orthogonal(tf.constant(matrix)).numpy() @ right.T)
        assert ((values > 0.5) & (values < 1.3)).all()
        mixed = left.T @ orthogonal(tf.constant(matrix)).numpy() @ right.T
        assert np.abs(mixed - np.diag(values)).max() < 1e-4


def test_a_step_of_muon_is_that_of_its_paper_written_out():
    rng = np.random.default_rng(3)
    weight = keras.Variable(rng.standard_normal((4, 2, 3)).astype(np.float32), name="kernel")
    bias = keras.Variable(np.zeros(3, np.float32), name="bias")
    start = np.asarray(weight).reshape(4, 6)
    optimizer = Muon(0.1, decay=0.5, clip_norm=None)
    optimizer.build([weight, bias])
    momentum, expected = np.zeros((4, 6)), start.astype(np.float64)
    for _ in range(2):
        gradient = rng.standard_normal((4, 6)).astype(np.float32)
        optimizer.update([tf.constant(gradient.reshape(4, 2, 3)), tf.ones(3)])
        momentum = 0.95 * momentum + gradient
        update = orthogonal(tf.constant(gradient + 0.95 * momentum, tf.float32)).numpy()
        expected = expected * (1 - 0.1 * 0.5) - 0.1 * 0.2 * np.sqrt(6) * update
    np.testing.assert_allclose(np.asarray(weight).reshape(4, 6), expected, atol=1e-5)
    np.testing.assert_allclose(np.asarray(bias), -0.2, atol=1e-5)  # AdamW, two steps of one sign
