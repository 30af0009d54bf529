"""Parts of a job: stretches of its rows, each computed on its own, whose results are put together.

A kind is divisible if the rows of its result do not depend on each other. Its spec says `divisible = True`,
and its action has three functions beside `run`:

    cuts(spec, context) -> Cuts                    where the rows may be cut
    compute(spec, context, part) -> PartResult     the rows of one part, kept with `context.save_shard`
    join(spec, context, pieces) -> its result      all of them put together

The cuts lie where the undivided job begins a new window of rows, so that each row is computed among the same
rows as there, and the whole comes out the same, byte for byte, for every number of parts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from jobs.errors import InvalidSpec
from jobs.spec import JobResult

#: How many parts a person wants, or "auto": see `Cuts.wanted`.
Wanted = int | Literal["auto"]
#: Parts of one job at most: each is an entry in a queue, and has some files.
MOST = 5_000
#: Parts for each slot, where nobody says how many: whoever is faster takes more of them, and what is lost
#: with a worker, or awaited at the end, is a third of its share.
PARTS_PER_SLOT = 3


@dataclass(frozen=True)
class Part:
    """A stretch of the rows of a job.

    Attributes:
        number: from 1.
        count: parts in all.
        first: its first row.
        end: the row after its last one.
        choices: what all parts have to do alike, as `Cuts` has it.
    """

    number: int
    count: int
    first: int
    end: int
    choices: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many."""
        return self.end - self.first


@dataclass(frozen=True)
class Cuts:
    """Where a job may be cut.

    Attributes:
        ends: the row after each window, ascending; the last is the number of rows.
        least: windows in a part that is worth its beginning, where nobody says how many parts.
        choices: what all parts have to do alike, though workers differ, such as the library that computes.
    """

    ends: Sequence[int]
    least: int = 1
    choices: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def every(cls, window: int, rows: int, least: int = 1) -> "Cuts":
        """Windows of one size, the last one smaller."""
        return cls([*range(window, rows, window), rows] if rows else [], least)

    def wanted(self, parts: Wanted, slots: int) -> int:
        """How many parts: as many as are wanted and windows are there.

        "auto" is `PARTS_PER_SLOT` for each slot, but no part of fewer than `least` windows.
        """
        worth = min(PARTS_PER_SLOT * max(slots, 1), len(self.ends) // self.least)
        return max(1, min(worth if parts == "auto" else parts, len(self.ends), MOST))

    def parts(self, count: int) -> list[Part]:
        """Parts of about as many windows each."""
        edges = [number * len(self.ends) // count for number in range(count + 1)]
        rows = [0 if edge == 0 else self.ends[edge - 1] for edge in edges]
        return [
            Part(number + 1, count, rows[number], rows[number + 1], self.choices) for number in range(count)
        ]


class PartResult(JobResult):
    """What one part leaves as data."""

    shards: tuple[str, ...] = Field(strict=False, description="the pieces that it has saved, in order")
    facts: dict[str, Any] = Field(
        default_factory=dict, description="what else `join` is to know; JSON, and of a bounded size"
    )


@dataclass(frozen=True)
class Piece:
    """A part that is done, as `join` sees it.

    Attributes:
        part: which.
        facts: of its result.
        shards: local copies of what it has saved, in order.
    """

    part: Part
    facts: Mapping[str, Any]
    shards: Sequence[Path]


def checked_wanted(parts: object) -> Wanted:
    """How many parts a person wants.

    Raises:
        InvalidSpec: neither a number from 1 to `MOST` nor "auto".
    """
    if parts == "auto":
        return "auto"
    if isinstance(parts, int) and not isinstance(parts, bool) and 1 <= parts <= MOST:
        return parts
    raise InvalidSpec(f"parts is {parts!r}; allowed are a number from 1 to {MOST}, and 'auto'")


def together(pieces: Sequence[Piece], fact: str) -> str:
    """What the parts say of one thing: the same, as a rule; else everything that was said."""
    return " and ".join(dict.fromkeys(str(piece.facts[fact]) for piece in pieces))
