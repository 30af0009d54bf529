"""Structural similarity and edges in common, beside what loops come to."""

import numpy as np
import pytest

from jobs.gan.measures.similarity import edges_in_common, structural_similarity


def test_structural_similarity_is_what_loops_over_windows_come_to() -> None:
    random = np.random.default_rng(0)
    one, other = random.integers(0, 256, (2, 2, 7, 9, 3), dtype=np.uint8)
    found = structural_similarity(one, other)
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2
    for number in range(2):
        x, y = (np.pad(each[number].mean(axis=2), 5, mode="symmetric") for each in (one, other))
        values = []
        for row in range(7):
            for column in range(9):
                a, b = (each[row : row + 11, column : column + 11] for each in (x, y))
                ma, mb = (window * a).sum(), (window * b).sum()
                va, vb = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum()
                both = (window * (a - ma) * (b - mb)).sum()
                c1, c2 = 6.5025, 58.5225
                values.append((2 * ma * mb + c1) * (2 * both + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
        assert found[number] == pytest.approx(np.mean(values))
    assert structural_similarity(one, one) == pytest.approx([1, 1])


def test_edges_in_common_are_those_in_the_same_places_whatever_their_brightness() -> None:
    square = np.zeros((1, 12, 12, 1), np.uint8)
    square[:, 3:6, 3:6] = 200
    assert edges_in_common(square, square // 2)[0] == pytest.approx(1)
    assert edges_in_common(square, 255 - square)[0] == pytest.approx(1)
    assert edges_in_common(square, np.roll(square, 6, axis=2))[0] == pytest.approx(0)
    flat = np.zeros_like(square)
    assert (edges_in_common(flat, flat)[0], edges_in_common(square, flat)[0]) == (1, 0)
