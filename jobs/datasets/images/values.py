"""What the values of pixels mean: which of them is black, and which is white."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from jobs.errors import BadInput

Array = np.ndarray[Any, Any]

#: Bits that cameras and scanners use of a 16-bit value.
_BITS = (8, 10, 12, 14, 16)
#: What to do where the values do not say it themselves.
ASK = "say which values are black and white with --range LOW:HIGH at the upload, or save it as 8-bit"


class Kind(StrEnum):
    """How a file keeps its values."""

    BYTES = "8-bit"  #: 0 to 255
    WHOLE = "16-bit"  #: whole numbers beyond 255
    FLOATS = "floating-point"
    DEEP = "16-bit colour"  #: of which Pillow reads the upper 8 bits alone


@dataclass(frozen=True)
class Range:
    """The values that become 0 and 255; those outside are cut off."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"

    def to_bytes(self, values: Array) -> Array:
        """Values of any type as uint8."""
        if values.dtype.kind in "iu" and (self.low, self.high) == (0, 255):
            return np.clip(values, 0, 255).astype(np.uint8)
        scaled = (values - float(self.low) if self.low else values) * (255.0 / (self.high - self.low))
        return np.rint(np.clip(scaled, 0.0, 255.0)).astype(np.uint8)


#: What values of a kind are taken for until all of them are known.
USUAL = {
    Kind.BYTES: Range(0, 255),
    Kind.WHOLE: Range(0, 65535),
    Kind.FLOATS: Range(0, 1),
    Kind.DEEP: Range(0, 255),
}


@dataclass
class Extremes:
    """The darkest and the brightest value of each kind in a set."""

    found: dict[Kind, tuple[float, float]] = field(default_factory=dict)

    def add(self, kind: Kind, values: Array) -> None:
        """Looks at the values of an image."""
        low, high = float(values.min()), float(values.max())
        known = self.found.get(kind, (low, high))
        self.found[kind] = min(low, known[0]), max(high, known[1])

    def ranges(self, given: Range | None, where: str) -> dict[Kind, Range]:
        """For each kind the range that its values fill, or the one that was given.

        Raises:
            BadInput: it cannot be told; the text has the darkest and brightest value.
        """
        return {
            kind: _as_read(kind, given) if given else _told(kind, *extremes, where)
            for kind, extremes in self.found.items()
        }

    def notes(self, ranges: dict[Kind, Range]) -> list[str]:
        """One sentence for each kind: its values, and what they were taken for."""
        return [
            f"{kind} values, darkest {low:g}, brightest {high:g}: {ranges[kind]} became black to white"
            for kind, (low, high) in self.found.items()
        ]


def range_of(kind: Kind, low: float, high: float) -> Range | None:
    """The range that values fill which lie between two; None if that cannot be told."""
    if low < 0:
        return Range(-1, 1) if kind is Kind.FLOATS and low >= -1 and high <= 1 else None
    if high == 1:
        return Range(0, 1)  # a mask
    if kind in (Kind.BYTES, Kind.DEEP):
        # Nothing of 16 bits of colour was written to be this dark: the upper bits were not used.
        return Range(0, 255) if kind is Kind.BYTES or high > 16 or high == 0 else None
    if kind is Kind.FLOATS:
        if high <= 1:
            return Range(0, 1)
        return Range(0, 255) if 127 < high <= 255 else None
    if high == 0:
        return USUAL[kind]
    return next((Range(0, 2**bits - 1) for bits in _BITS if high < 2**bits), None)


def _as_read(kind: Kind, given: Range) -> Range:
    if kind is Kind.DEEP and given.high > 255:
        return Range(given.low / 256, given.high / 256)
    return given


def _told(kind: Kind, low: float, high: float, where: str) -> Range:
    found = range_of(kind, low, high) if np.isfinite(low) and np.isfinite(high) else None
    if found is None:
        raise BadInput(f"{where} has {kind} values from {low:g} to {high:g}; {ASK}")
    return found
