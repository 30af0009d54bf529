"""Learnt positions of patches, for another number of patches than they were learnt for."""

import numpy as np

from jobs.selfsupervised.networks.shapes import Array

#: Of the cubic kernel, as PyTorch's `interpolate` has it; Keys 1981 proposes -0.5.
SHARPNESS = -0.75


def interpolated(positions: Array, before: tuple[int, int], after: tuple[int, int]) -> Array:
    """Positions on another grid, bicubic, as the library transformers interpolates them.

    Args:
        positions: by row and column of the grid, float32 (rows * columns, width).
        before: rows and columns of the grid.
        after: of the grid that is wanted.
    """
    if before == after:
        return positions
    rows, columns = _matrix(before[0], after[0]), _matrix(before[1], after[1])
    grid = positions.astype(np.float64).reshape(*before, -1)
    found: Array = np.einsum("yr,xc,rcw->yxw", rows, columns, grid)
    flat: Array = found.reshape(after[0] * after[1], -1).astype(np.float32)
    return flat


def _matrix(before: int, after: int) -> Array:
    """What each new place takes of each old one, (after, before); beyond the edges the edge goes on."""
    matrix = np.zeros((after, before))
    for place in range(after):
        centre = (place + 0.5) * before / after - 0.5
        first = int(np.floor(centre))
        for old in range(first - 1, first + 3):
            matrix[place, min(max(old, 0), before - 1)] += _cubic(abs(centre - old))
    return matrix


def _cubic(distance: float) -> float:
    a = SHARPNESS
    if distance <= 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    if distance < 2:
        return a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a
    return 0.0
