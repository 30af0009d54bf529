"""Packed tokens as trainings read them: one array that lies in a file, and where its documents end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

Array = np.ndarray[Any, Any]

#: Numbers at the end of a shard.
_COUNTS = 4
#: Tokens that are copied at once.
_BLOCK = 1 << 22


@dataclass(frozen=True)
class Shard:
    """A file of tokens; see `jobs.tokens.packing`.

    Attributes:
        tokens: uint16 or uint32 (tokens,), mapped.
        ends: the places after the ends of documents, int64 (documents,).
        unknown: tokens that stand for what is not in the vocabulary.
    """

    tokens: Array = field(repr=False)
    ends: Array = field(repr=False)
    unknown: int

    @classmethod
    def open(cls, path: Path, kind: type[np.unsignedinteger[Any]]) -> Self:
        """The shard in a file, mapped."""
        content = np.memmap(path, np.int64, "r")
        tokens, documents, unknown, _ = content[-_COUNTS:].tolist()
        ends = np.array(content[len(content) - _COUNTS - documents : len(content) - _COUNTS])
        return cls(content.view(kind)[:tokens], ends, int(unknown))


@dataclass(frozen=True)
class Stream:
    """Documents one after the other, each with the end token behind it, if there is one.

    Attributes:
        tokens: uint16 or uint32 (tokens,), mapped; whole rows of it are a view, `tokens[: n].reshape(-1, w)`.
        ends: the places after the ends of documents, int64 (documents,).
        unknown: tokens that stand for what is not in the vocabulary.
    """

    tokens: Array = field(repr=False)
    ends: Array = field(repr=False)
    unknown: int

    def __len__(self) -> int:
        return len(self.tokens)

    def rows(self, width: int) -> Array:
        """The stream cut into rows, (rows, width), a view; what does not fill the last row is left out."""
        count = len(self.tokens) // width
        found: Array = self.tokens[: count * width].reshape(count, width)
        return found


class Shards:
    """All tokens of a corpus.

    Args:
        shards: one after the other.
        made: how many of them this job has made.
    """

    def __init__(self, shards: Sequence[Shard], made: int = 0) -> None:
        self._shards, self.made = shards, made
        sizes = [len(shard.tokens) for shard in shards]
        self._begins = np.cumsum([0, *sizes], dtype=np.int64)
        #: The places after the ends of all documents, int64 (documents,).
        self.ends = np.concatenate(
            [shard.ends + begin for shard, begin in zip(shards, self._begins, strict=False)]
        )
        self.count = int(self._begins[-1])  #: tokens
        self.unknown = sum(shard.unknown for shard in shards)

    def read(self, first: int, end: int) -> Iterator[Array]:
        """The tokens between two places, some at a time."""
        while first < end:
            number = int(np.searchsorted(self._begins, first, "right")) - 1
            begin = int(self._begins[number])
            until = min(end, int(self._begins[number + 1]), first + _BLOCK)
            yield self._shards[number].tokens[first - begin : until - begin]
            first = until

    def stream(self, documents: Array, path: Path) -> Stream:
        """Some documents as one array, in a file that is written for it.

        Args:
            documents: their numbers, in order, int64 (documents,).
            path: of the file.
        """
        begins = np.concatenate([[0], self.ends[:-1]])[documents]
        ends = self.ends[documents]
        kind = self._shards[0].tokens.dtype
        with path.open("wb") as file:
            for first, end in _runs(begins, ends):
                for block in self.read(first, end):
                    block.tofile(file)
        size = int((ends - begins).sum())
        tokens = np.memmap(path, kind, "r", shape=(size,)) if size else np.zeros(0, kind)
        return Stream(np.asarray(tokens), np.cumsum(ends - begins), self.unknown)


def _runs(begins: Array, ends: Array) -> Iterator[tuple[int, int]]:
    """The same stretches, with those that follow each other as one."""
    if not len(begins):
        return
    breaks = np.flatnonzero(begins[1:] != ends[:-1]) + 1
    firsts, lasts = np.concatenate([[0], breaks]), np.concatenate([breaks, [len(begins)]])
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        yield int(begins[first]), int(ends[last - 1])
