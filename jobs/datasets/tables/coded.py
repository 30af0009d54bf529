"""A column of texts of which many are alike: each kept once, and for each row its number."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Coded:
    """Takes a column of texts, some rows after the others."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._blocks: list[Array] = []
        self._rows = 0

    def __len__(self) -> int:
        """Rows so far."""
        return self._rows

    def add(self, texts: Sequence[str] | Array) -> None:
        """Takes some rows more."""
        numbers = self._numbers
        codes = (numbers.setdefault(text, len(numbers)) for text in texts)
        self._blocks.append(np.fromiter(codes, np.int64, len(texts)))
        self._rows += len(texts)

    @property
    def texts(self) -> tuple[str, ...]:
        """Each once, in the order of the first rows that have it."""
        return tuple(self._numbers)

    @property
    def codes(self) -> Array:
        """The number of each row's text, int64 (rows,)."""
        return np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.int64)
