"""How far images are from other images, as numbers over their features. NumPy alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: Rows of a matrix of distances that are in memory at once, and columns; of long rows fewer columns, so that
#: no more than so many numbers are.
ROWS, COLUMNS, NUMBERS = 500, 5_000, 8_000_000


def moments(features: Array) -> tuple[Array, Array]:
    """Mean (dimensions,) and covariance (dimensions, dimensions) of features (count, dimensions), float64."""
    exact = features.astype(np.float64)
    mean = exact.mean(axis=0)
    centred = exact - mean
    return mean, centred.T @ centred / max(len(exact) - 1, 1)


def frechet_distance(real: Array, samples: Array) -> float:
    """Fréchet distance of the Gaussians with the moments of two sets of features (count, dimensions).

    Heusel et al. 2017 (https://arxiv.org/abs/1706.08500), equation 6:
    |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)). 0 for equal moments. It is biased upwards by small counts,
    so compare only what was measured with equal ones.
    """
    (mean, covariance), (other_mean, other_covariance) = moments(real), moments(samples)
    # C1 C2 is not symmetric, but has the eigenvalues of R C2 R, R = C1^(1/2), which is.
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    product = np.linalg.eigvalsh(root @ other_covariance @ root)
    overlap = np.sqrt(np.clip(product, 0, None)).sum()
    distance = np.square(mean - other_mean).sum() + np.trace(covariance) + np.trace(other_covariance)
    return max(float(distance - 2.0 * overlap), 0.0)


def kernel_distance(real: Array, samples: Array, blocks: int = 10) -> tuple[float, float]:
    """KID: squared maximum mean discrepancy with the kernel (x·y / dimensions + 1)^3, and its standard error.

    Bińkowski et al. 2018 (https://arxiv.org/abs/1801.01401), section 4: the unbiased estimate, which is 0 on
    average for equal distributions, whatever the count, and may be a little below. The mean over disjoint
    blocks of both sets, whose spread gives the standard error.

    Raises:
        ValueError: fewer than two rows a block.
    """
    if (size := min(len(real), len(samples)) // blocks) < 2:
        raise ValueError(f"{blocks} blocks need at least {2 * blocks} rows each, received {real.shape[0]}")
    parts = [slice(size * number, size * (number + 1)) for number in range(blocks)]
    estimates = [_unbiased_discrepancy(real[part], samples[part]) for part in parts]
    error = np.std(estimates, ddof=1) / np.sqrt(blocks) if blocks > 1 else 0.0
    return float(np.mean(estimates)), float(error)


def _unbiased_discrepancy(a: Array, b: Array) -> float:
    """Over all pairs, without those of a row with itself; a and b are (count, dimensions), of equal count."""
    count, a, b = len(a), a.astype(np.float64), b.astype(np.float64)
    inside = sum(kernel.sum() - np.trace(kernel) for kernel in (_kernel(a, a), _kernel(b, b)))
    return float(inside / (count * (count - 1)) - 2.0 * _kernel(a, b).mean())


def _kernel(a: Array, b: Array) -> Array:
    kernel: Array = (a @ b.T / a.shape[1] + 1.0) ** 3
    return kernel


def precision_and_recall(real: Array, samples: Array, k: int = 3) -> tuple[float, float]:
    """How many samples look real, and how much of what is real the samples cover; both in [0, 1].

    Kynkäänniemi et al. 2019 (https://arxiv.org/abs/1904.06991), equations 1 and 2: precision is the share of
    the samples that lie in the manifold of the real ones, the union of the balls around each that reach to
    its k-th nearest neighbour; recall is the share of the real ones in the manifold of the samples.

    Raises:
        ValueError: a set has no more than k rows.
    """
    return _share_inside(real, samples, k), _share_inside(samples, real, k)


def _share_inside(manifold: Array, points: Array, k: int) -> float:
    radii = nearest(manifold, manifold, k, itself=np.arange(len(manifold))).distances[:, -1]  # (count,)
    inside = np.zeros(len(points), bool)
    for rows, columns, distances in _blocks_of_distances(points, manifold):
        inside[rows] |= (distances <= np.square(radii[columns])).any(axis=1)
    return float(inside.mean())


@dataclass(frozen=True)
class Nearest:
    """The nearest rows of one set to each row of another.

    Attributes:
        rows: int64 (count, k), the nearest first.
        distances: Euclidean, float64 (count, k).
    """

    rows: Array
    distances: Array


def nearest(points: Array, among: Array, k: int, itself: Array | None = None) -> Nearest:
    """The k nearest rows of `among` (any count, dimensions) to each of `points` (count, dimensions).

    Args:
        points: what neighbours are looked for.
        among: where they are looked for.
        k: neighbours of each.
        itself: for each point the row of `among` that it is, which is none of its neighbours; (count,).

    Raises:
        ValueError: there are fewer than k others.
    """
    if len(among) - (itself is not None) < k:
        raise ValueError(f"{k} neighbours need more than {len(among)} rows")
    best = np.full((len(points), k), np.inf)
    which = np.zeros((len(points), k), np.int64)
    for rows, columns, distances in _blocks_of_distances(points, among):
        if itself is not None:
            distances[itself[rows, np.newaxis] == np.arange(columns.start, columns.stop)] = np.inf
        found = np.concatenate([best[rows], distances], axis=1)
        order = np.argpartition(found, k - 1, axis=1)[:, :k]
        numbers = np.broadcast_to(np.arange(columns.start, columns.stop), distances.shape)
        names = np.concatenate([which[rows], numbers], axis=1)
        best[rows] = np.take_along_axis(found, order, axis=1)
        which[rows] = np.take_along_axis(names, order, axis=1)
    order = np.argsort(best, axis=1, kind="stable")
    return Nearest(np.take_along_axis(which, order, axis=1), np.sqrt(np.take_along_axis(best, order, axis=1)))


def _blocks_of_distances(points: Array, others: Array) -> Iterator[tuple[slice, slice, Array]]:
    """Squared Euclidean distances of every pair, in blocks: (rows, columns, float64 (rows, columns))."""
    step = max(1, min(COLUMNS, NUMBERS // others.shape[1]))
    for first in range(0, len(points), ROWS):
        rows = slice(first, min(first + ROWS, len(points)))
        a = points[rows].astype(np.float64)
        for other in range(0, len(others), step):
            columns = slice(other, min(other + step, len(others)))
            b = others[columns].astype(np.float64)
            squares = np.square(a).sum(axis=1)[:, np.newaxis] + np.square(b).sum(axis=1) - 2.0 * (a @ b.T)
            # Rounding leaves a row some 1e-13 from its own copy, or even less than nothing.
            yield rows, columns, np.clip(squares, 0.0, None)
