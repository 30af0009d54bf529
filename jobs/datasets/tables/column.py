"""A column of numbers, as a file has it: what is missing, and what is neither."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jobs.datasets.readable import one_line
from jobs.errors import BadInput

Array = np.ndarray[Any, Any]

#: What people and programs write where a number is missing.
MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none", "nil", "-", "?"})
#: The largest size of a number: its square is a double, too, and so is a sum of many squares.
LARGEST = 1e100
#: Characters of a cell that a refusal shows.
_SHOWN = 40


@dataclass
class Numbers:
    """A column, as it is read.

    Attributes:
        name: of the column.
        blocks: of float64 numbers, NaN where one is missing.
        present: cells that hold a number.
        texts: cells that hold neither a number nor a sign of a missing one.
        example: the first of these, with its row.
        commas: cells whose decimal sign is a comma.
    """

    name: str
    blocks: list[Array] = field(default_factory=list)
    present: int = 0
    texts: int = 0
    example: tuple[int, str] = (0, "")
    commas: int = 0

    def add(self, cells: Sequence[str] | Array, rows: Array, comma: bool) -> None:
        """Reads some cells more, or takes numbers; `comma` says that a decimal sign may be one.

        Raises:
            BadInput: a number is too large; the sentence names its row.
        """
        numbers = cells if isinstance(cells, np.ndarray) else self._read(cells, rows, comma)
        self.present += int(np.count_nonzero(~np.isnan(numbers)))
        too_large = np.abs(numbers) > LARGEST
        if too_large.any():
            first = int(too_large.argmax())
            fault = "is not finite" if np.isinf(numbers[first]) else "is too large"
            raise BadInput(
                f"row {rows[first]}, column {self.name!r}: {one_line(str(cells[first]).strip(), _SHOWN)!r} "
                f"{fault}: a table has numbers from {-LARGEST:g} to {LARGEST:g}"
            )
        self.blocks.append(numbers)

    def _read(self, cells: Sequence[str], rows: Array, comma: bool) -> Array:
        try:
            return numbers_of(cells)
        except ValueError:
            return np.array([self._number(*each, comma) for each in zip(cells, rows.tolist(), strict=True)])

    def _number(self, cell: str, row: int, comma: bool) -> float:
        text = cell.strip()
        if text.lower() in MISSING:
            return math.nan
        try:
            return _number_of(text)
        except ValueError:
            pass
        if comma and text.count(",") == 1 and "." not in text:
            try:
                number = _number_of(text.replace(",", "."))
            except ValueError:
                pass
            else:
                self.commas += 1
                return number
        self.texts += 1
        if self.texts == 1:
            self.example = (row, text)
        return math.nan

    def all(self) -> Array:
        """All cells, float64 (rows,)."""
        return np.concatenate(self.blocks)


def numbers_of(cells: Sequence[str]) -> Array:
    """Numbers as people write them, float64 (cells,); NaN for an empty cell.

    Raises:
        ValueError: one is none.
    """
    _check_written("".join(cells))
    return np.array([cell or "nan" for cell in cells]).astype(np.float64)


def _number_of(text: str) -> float:
    _check_written(text)
    return float(text)


def _check_written(text: str) -> None:
    """Refuses what Python alone takes for a part of a number: `1_00`, and digits other than 0 to 9."""
    if "_" in text or not text.isascii():
        raise ValueError("not a number as people write it")
