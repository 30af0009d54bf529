"""Losses and probes against their definitions, written out in NumPy."""

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from jobs import probes
from jobs.selfsupervised.methods import losses
from jobs.selfsupervised.methods.masked import cut
from jobs.selfsupervised.networks.augmentations import Views

RANDOM = np.random.default_rng(0)


def normal(*shape: int) -> Any:
    return RANDOM.standard_normal(shape).astype(np.float32)


def test_cross_entropy_is_the_mean_over_pixels() -> None:
    images, logits = RANDOM.random((3, 4), np.float32), normal(3, 4)
    p = 1 / (1 + np.exp(-logits.astype(float)))
    expected = -(images * np.log(p) + (1 - images) * np.log(1 - p)).mean()
    np.testing.assert_allclose(losses.cross_entropy(images, logits), expected, rtol=1e-5)


def test_cross_entropys_own_gradient_is_that_of_the_formula_and_finite_for_large_logits() -> None:
    images = tf.constant(RANDOM.random((3, 2, 2, 1), np.float32))
    logits = tf.constant([[-1e4, -90.0, -1.0, 0.0], [1e4, 90.0, 1.0, -0.5], [0.1, 3.0, -3.0, 8.0]])
    logits = tf.reshape(logits, images.shape)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([images, logits])
        ours = 3.0 * losses.cross_entropy(images, logits)
        formula = 3.0 * tf.reduce_mean(tf.nn.softplus(logits) - images * logits)
    np.testing.assert_allclose(ours, formula, rtol=1e-6)
    for arguments in (images, logits):
        expected = tape.gradient(formula, arguments)
        np.testing.assert_allclose(tape.gradient(ours, arguments), expected, rtol=1e-5, atol=1e-8)


def test_divergence_is_the_integral_over_the_two_densities() -> None:
    mean, log_variance = np.array([[0.5], [-1.0]], np.float32), np.array([[0.3], [-0.7]], np.float32)
    x = np.linspace(-12, 12, 200_001)
    expected = []
    for m, v in zip(mean[:, 0], np.exp(log_variance[:, 0]), strict=True):
        q = np.exp(-((x - m) ** 2) / (2 * v)) / math.sqrt(2 * math.pi * v)
        log_p = -(x**2) / 2 - math.log(math.sqrt(2 * math.pi))
        log_q = -((x - m) ** 2) / (2 * v) - math.log(math.sqrt(2 * math.pi * v))
        expected.append(np.sum(q * (log_q - log_p)) * (x[1] - x[0]))
    np.testing.assert_allclose(losses.divergence(mean, log_variance), np.mean(expected), rtol=1e-4)


def test_the_masked_error_counts_hidden_patches_alone() -> None:
    patches, predicted = normal(2, 3, 4), normal(2, 3, 4)
    hidden = np.array([[1, 0, 1], [0, 0, 1]], np.float32)
    pairs = [(image, patch) for image in range(2) for patch in range(3) if hidden[image, patch]]
    expected = np.mean([((patches[at] - predicted[at]) ** 2).mean() for at in pairs])
    np.testing.assert_allclose(losses.masked_error(patches, predicted, hidden), expected, rtol=1e-5)


def test_nt_xent_counts_the_negatives_of_both_views() -> None:
    first, second, temperature = normal(4, 5), normal(4, 5), 0.3
    views = [view / np.linalg.norm(view) for view in [*first, *second]]
    terms = []
    for i in range(8):
        j = (i + 4) % 8
        others = sum(math.exp(views[i] @ views[k] / temperature) for k in range(8) if k != i)
        terms.append(-math.log(math.exp(views[i] @ views[j] / temperature) / others))
    np.testing.assert_allclose(losses.nt_xent(first, second, temperature), np.mean(terms), rtol=1e-5)


def test_vicreg_has_the_three_terms_of_the_paper() -> None:
    first, second = normal(6, 3), 0.3 * normal(6, 3)
    invariance, variance, covariance = losses.vicreg(first, second)
    np.testing.assert_allclose(invariance, ((first - second) ** 2).mean(), rtol=1e-5)
    spread, shared = 0.0, 0.0
    for view in (first, second):
        matrix = np.cov(view, rowvar=False)
        spread += np.mean([max(0, 1 - math.sqrt(matrix[d, d] + 1e-4)) for d in range(3)])
        shared += sum(matrix[a, b] ** 2 for a in range(3) for b in range(3) if a != b) / 3
    np.testing.assert_allclose(variance, spread, rtol=1e-4)
    np.testing.assert_allclose(covariance, shared, rtol=1e-4)


def test_patches_are_cut_row_by_row_and_filled_with_black() -> None:
    image = np.arange(1, 16, dtype=np.float32).reshape(1, 3, 5, 1)
    found = np.asarray(cut(tf.constant(image), 2))
    assert found.shape == (1, 6, 4)
    assert found[0, 1].tolist() == [3, 4, 8, 9]
    assert found[0, 5].tolist() == [15, 0, 0, 0]


def test_views_follow_from_their_seed_and_without_strength_change_nothing() -> None:
    images = tf.constant(RANDOM.random((4, 8, 8, 3), np.float32))
    views, seed = Views(1.0, flip=True), tf.constant([1, 2], tf.int64)
    first = np.asarray(views(images, seed))
    np.testing.assert_array_equal(first, np.asarray(views(images, seed)))
    assert np.abs(first - np.asarray(views(images, seed + 1))).mean() > 0.05
    assert (first.min(), first.max() <= 1.0) == (0.0, True)
    still = np.asarray(Views(0.0, flip=False)(images, seed))
    np.testing.assert_allclose(still, images, atol=1e-5)


def test_neighbours_vote_as_counted_one_by_one() -> None:
    memory, queries = normal(30, 4), normal(10, 4)
    labels, wanted = RANDOM.integers(0, 3, 30), RANDOM.integers(0, 3, 10)
    hits = 0
    for query, label in zip(queries, wanted, strict=True):
        cosine = [row @ query / np.linalg.norm(row) / np.linalg.norm(query) for row in memory]
        votes = [labels[row] for row in sorted(range(30), key=lambda row: -cosine[row])[:5]]
        hits += max(range(3), key=lambda each: (votes.count(each), -each)) == label
    assert probes.knn_accuracy(memory, labels, queries, wanted, k=5) == hits / 10


def test_few_labels_come_from_every_class() -> None:
    labels = np.repeat(np.arange(3), [100, 200, 5])
    rows = probes.few(labels, 0.01, np.random.default_rng(0))
    assert np.bincount(labels[rows]).tolist() == [1, 2, 1]
    assert len(probes.few(labels, 1.0, np.random.default_rng(0))) == 305


def test_the_effective_rank_counts_directions() -> None:
    cross = np.concatenate([np.eye(4), -np.eye(4)]).astype(np.float32)
    assert probes.effective_rank(cross) == pytest.approx(4)
    assert probes.effective_rank(cross[:, :1] * np.ones((1, 3), np.float32)) == pytest.approx(1, abs=1e-3)
    assert probes.effective_rank(np.ones((5, 3), np.float32)) == 0.0


def test_all_components_give_the_rows_back_and_few_give_the_best_plane() -> None:
    rows = normal(20, 3) * np.array([5, 2, 0.1], np.float32)
    whole = probes.Components(rows, 3)
    np.testing.assert_allclose(whole.decode(whole.code(rows)), rows, atol=1e-4)
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    two = probes.Components(rows, 2)
    error = np.square(two.decode(two.code(rows)) - rows).sum()
    assert error == pytest.approx(values[2] ** 2, rel=1e-3)
