import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from jobs.datasets.images import named
from jobs.datasets.images.image_set import ImageSet
from jobs.gan.measures import metrics
from jobs.gan.measures.classifier import FEATURES
from jobs.gan.measures.features import feature_network
from jobs.gan.measures.judge import Judge, halves
from jobs.gan.measures.metrics import (
    frechet_distance,
    kernel_distance,
    moments,
    nearest,
    precision_and_recall,
)
from jobs.local import LocalContext

Array = np.ndarray[Any, Any]


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def with_moments(mean: Array, covariance: Array, random: np.random.Generator, count: int = 400) -> Array:
    """Rows whose mean and covariance are exactly these."""
    rows = random.standard_normal((count, len(mean)))
    rows -= rows.mean(axis=0)
    white = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows.T))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def test_frechet_distance_of_diagonal_gaussians_is_the_closed_form(random: np.random.Generator) -> None:
    means = np.array([1.0, -2.0, 0.5]), np.array([0.0, 1.0, 0.5])
    variances = np.array([4.0, 1.0, 9.0]), np.array([1.0, 2.25, 0.25])
    a, b = (with_moments(m, np.diag(v), random) for m, v in zip(means, variances, strict=True))
    # With covariances that commute, it is |m1 - m2|^2 + |C1^(1/2) - C2^(1/2)|^2.
    expected = 10.0 + (1.0 + 0.25 + 6.25)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    turn, _ = np.linalg.qr(random.standard_normal((3, 3)))
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_gaussians_whose_covariances_do_not_commute(random: np.random.Generator) -> None:
    first, second = np.array([[2.0, 1.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 4.0]])
    assert not np.allclose(first @ second, second @ first)
    a, b = (with_moments(np.zeros(2), covariance, random) for covariance in (first, second))
    # For two by two, trace(M^(1/2)) = sqrt(trace M + 2 sqrt(det M)), here of M = first @ second.
    expected = 3.0 + 5.0 - 2.0 * np.sqrt(6.0 + 2.0 * np.sqrt(4.0))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_moments_are_those_of_numpy(random: np.random.Generator) -> None:
    rows = random.standard_normal((30, 4)).astype(np.float32)
    mean, covariance = moments(rows)
    np.testing.assert_allclose(mean, rows.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(covariance, np.cov(rows.T), atol=1e-6)


def discrepancy(a: Array, b: Array) -> float:
    """The unbiased squared maximum mean discrepancy, pair by pair."""

    def kernel(x: Array, y: Array) -> float:
        return float((np.dot(x, y) / len(x) + 1) ** 3)

    n = len(a)
    inside = [kernel(x[i], x[j]) for x in (a, b) for i in range(n) for j in range(n) if i != j]
    across = [kernel(x, y) for x in a for y in b]
    return sum(inside) / (n * (n - 1)) - 2 * sum(across) / n**2


def test_kernel_distance_is_what_brute_force_gives(random: np.random.Generator) -> None:
    a, b = random.standard_normal((14, 3)), random.standard_normal((13, 3)) * 1.5 + 0.3
    distance, error = kernel_distance(a, b, blocks=3)
    blocks = [discrepancy(a[start : start + 4], b[start : start + 4]) for start in (0, 4, 8)]
    assert distance == pytest.approx(np.mean(blocks), rel=1e-9)
    assert error == pytest.approx(np.std(blocks, ddof=1) / np.sqrt(3), rel=1e-9)
    with pytest.raises(ValueError, match="3 blocks need at least 6 rows each"):
        kernel_distance(a[:5], b, blocks=3)


def test_kernel_distance_of_equal_distributions_is_zero_within_its_error(random: np.random.Generator) -> None:
    distance, error = kernel_distance(random.standard_normal((2000, 5)), random.standard_normal((2000, 5)))
    assert abs(distance) < 4 * error
    assert error < 0.01


def inside(manifold: Array, points: Array, k: int) -> float:
    radii = [sorted(np.linalg.norm(manifold - row, axis=1))[k] for row in manifold]
    hits = [
        any(np.linalg.norm(point - row) <= radius for row, radius in zip(manifold, radii, strict=True))
        for point in points
    ]
    return float(np.mean(hits))


def test_precision_and_recall_are_what_brute_force_gives_in_any_blocks(
    random: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, samples = random.standard_normal((60, 4)), random.standard_normal((45, 4)) * 0.6 + 0.5
    expected = (inside(real, samples, 3), inside(samples, real, 3))
    assert expected[0] > expected[1] > 0
    assert precision_and_recall(real, samples) == pytest.approx(expected)
    monkeypatch.setattr(metrics, "ROWS", 7)
    monkeypatch.setattr(metrics, "COLUMNS", 8)
    assert precision_and_recall(real, samples) == pytest.approx(expected)
    assert precision_and_recall(real, real) == (1.0, 1.0)
    assert precision_and_recall(real, real + 100.0) == (0.0, 0.0)


def test_nearest_rows_are_found_across_blocks(
    random: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "ROWS", 4)
    monkeypatch.setattr(metrics, "COLUMNS", 6)
    points, among = random.standard_normal((9, 3)), random.standard_normal((20, 3))
    distances = np.linalg.norm(points[:, np.newaxis] - among, axis=2)
    found = nearest(points, among, 2)
    np.testing.assert_array_equal(found.rows, distances.argsort(axis=1)[:, :2])
    np.testing.assert_allclose(found.distances, np.sort(distances, axis=1)[:, :2])
    itself = nearest(among[:5], among, 1)
    np.testing.assert_array_equal(itself.rows[:, 0], np.arange(5))
    others = nearest(among[:5], among, 1, itself=np.arange(5))
    assert (others.rows[:, 0] != np.arange(5)).all()
    with pytest.raises(ValueError, match="20 neighbours need more than 20 rows"):
        nearest(among, among, 20, itself=np.arange(20))


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return named.load("digits")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of jobs that share a cache."""
    return tmp_path_factory.mktemp("jobs")


def test_real_images_are_near_the_floor_and_a_bad_generators_are_far(digits: ImageSet, cache: Path) -> None:
    with LocalContext(cache / "judge") as context:
        judge = Judge(digits, context, seed=5)
    chosen, others = halves(len(digits), 2_000, 5)
    assert judge.count == len(chosen) == 898
    same, other = judge.look(digits.images[chosen]), judge.look(digits.images[others])
    assert same.frechet_distance == pytest.approx(0, abs=1e-6)
    assert same.spread == pytest.approx(1)
    assert other.frechet_distance == judge.floor > 0
    constant = judge.look(np.repeat(digits.images[:1], judge.count, axis=0))
    pixels = digits.images[others].reshape(judge.count, -1)
    shuffled = judge.look(np.random.default_rng(0).permuted(pixels, axis=1).reshape(-1, 8, 8, 1))
    assert constant.spread == pytest.approx(0, abs=1e-6)
    assert min(constant.frechet_distance, shuffled.frechet_distance) > 20 * judge.floor
    assert judge.look(digits.images[digits.labels == 3]).frechet_distance > 20 * judge.floor


def test_the_network_of_a_labelled_set_learns_its_classes_once(digits: ImageSet, cache: Path) -> None:
    with LocalContext(cache / "labelled") as context:
        network = feature_network(digits, context)
        seen = network.see(digits.images)
        entries = {path: path.stat().st_mtime_ns for path in cache.glob(".triptych-cache/**/*.safetensors")}
        again = feature_network(digits, context).see(digits.images)
    assert network.task == "classes"
    assert network.accuracy is not None
    assert network.accuracy > 0.93
    assert (seen.answers == digits.labels).mean() > 0.95
    assert (seen.features.shape, seen.features.dtype) == ((len(digits), FEATURES), np.float32)
    assert seen.features.var(axis=0).mean() == pytest.approx(1, rel=1e-3)
    np.testing.assert_array_equal(seen.features, again.features)
    assert {path: path.stat().st_mtime_ns for path in entries} == entries


def test_without_labels_the_network_learns_rotations_of_any_shape(cache: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 60, (60, 12, 9, 1), dtype=np.uint8)
    images[:, :4] += 190  # bright at the top
    images = images.repeat(3, axis=3)  # grey, however it is stored
    with LocalContext(cache / "unlabelled") as context:
        network = feature_network(ImageSet(images), context)
    assert network.task == "rotations"
    assert network.accuracy == 1.0
    assert (network.see(images).answers == 0).all()


def test_without_labels_the_features_of_colour_images_see_their_colours_too(cache: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 60, (200, 12, 9, 3), dtype=np.uint8)
    images[:, :4] += 100
    images += np.array([90, 45, 0], np.uint8)
    with LocalContext(cache / "coloured") as context:
        network = feature_network(ImageSet(images), context)
    assert network.task == "rotations and colours"
    assert network.accuracy == 1.0
    features = network.see(images).features
    for half in (features[:, : FEATURES // 2], features[:, FEATURES // 2 :]):
        assert half.var(axis=0).mean() == pytest.approx(1, rel=1e-3)
    grey = images.mean(axis=3, keepdims=True).round().astype(np.uint8).repeat(3, axis=3)
    floor = frechet_distance(features[::2], features[1::2])
    assert frechet_distance(features[::2], network.see(grey[1::2]).features) > 20 * floor


def test_three_images_can_be_judged(cache: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    with LocalContext(cache / "three") as context:
        judge = Judge(ImageSet(images), context, seed=0)
        assert feature_network(ImageSet(images), context).accuracy is None
    look = judge.look(images)
    assert judge.count == 1
    assert json.dumps([look.frechet_distance, look.spread, judge.floor])
    assert np.isfinite([look.frechet_distance, look.spread, judge.floor]).all()
