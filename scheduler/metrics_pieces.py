"""The pieces in which an attempt sends its metrics: their names, and how they make one file again.

While an attempt runs, it sends what is new as a piece of its own, and merges many small pieces into a larger
one now and then; the one that finishes the job puts the whole file in their place. An attempt that goes on
from another's checkpoint does not send the lines up to it again: its first piece says whose bytes they are.
A piece's name tells which bytes of the file it holds, so a listing alone decides what is read, at any moment.
Bytes that were sent never change: a late write of an old attempt adds to them at the most.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

_PIECE = re.compile(r"metrics/([0-9]{4,})(?:/([0-9]{12,})-([0-9]{12,})(?:\.of-([0-9]{4,}))?)?\.jsonl$")


@dataclass(frozen=True)
class MetricsPiece:
    """Some bytes of the metrics of one attempt; `0002/000000000000-000000001234.jsonl` under `metrics/`.

    Attributes:
        attempt: the attempt that sent it.
        start: its first byte, as the whole file counts them.
        end: the byte after its last one; unknown, so the largest number, if it is the whole file.
        of: the attempt that has sent these bytes, so that the piece itself is empty; None if it is not.
    """

    attempt: int
    start: int = 0
    end: int = sys.maxsize
    of: int | None = None

    @classmethod
    def parse(cls, key: str) -> Self | None:
        """The piece of a key; None for one that is no piece."""
        found = _PIECE.search(key)
        if found is None:
            return None
        attempt, start, end, of = (int(number) if number else None for number in found.groups())
        return cls(attempt or 0, start or 0, sys.maxsize if end is None else end, of)

    def __str__(self) -> str:
        if self.end == sys.maxsize:
            return f"{self.attempt:04d}.jsonl"
        of = "" if self.of is None else f".of-{self.of:04d}"
        return f"{self.attempt:04d}/{self.start:012d}-{self.end:012d}{of}.jsonl"


@dataclass(frozen=True)
class Part:
    """What is read of a piece."""

    piece: MetricsPiece
    size: int  #: bytes of it that count, from its beginning


class Gap(Exception):
    """A listing shows bytes, and not all of those before them: pieces were merged while it was made."""


def parts_of(pieces: Iterable[MetricsPiece], attempt: int | None, gaps: bool = False) -> list[Part]:
    """What makes up the file of an attempt, or of the newest that has any, in its order.

    Args:
        pieces: all that a listing shows, in any order.
        attempt: whose file is wanted.
        gaps: take what is before a gap, rather than raise.

    Raises:
        Gap: the listing is no whole one.
    """
    of: dict[int, list[MetricsPiece]] = {}
    for piece in pieces:
        of.setdefault(piece.attempt, []).append(piece)
    wanted = max(of, default=0) if attempt is None else attempt
    found: list[Part] = []
    end = sys.maxsize
    while wanted:
        own = _chain(of.get(wanted, []), end, gaps)
        wanted, end = (own[0].piece.of or 0, own[0].size) if own else (0, 0)
        found = [*(own[1:] if wanted else own), *found]
    return found


def _chain(pieces: list[MetricsPiece], end: int, gaps: bool) -> list[Part]:
    """Pieces of one attempt that follow each other up to a byte; of those that begin alike, the largest."""
    largest: dict[int, MetricsPiece] = {}  #: by their first byte
    for piece in sorted(pieces, key=lambda piece: piece.end):
        largest[piece.start] = piece
    chain: list[Part] = []
    position = 0
    while position < end and position in largest:
        piece = largest[position]
        chain.append(Part(piece, min(piece.end, end) - position))
        position = piece.end
    if not gaps and position < end and any(piece.end > position for piece in pieces):
        raise Gap
    return chain
