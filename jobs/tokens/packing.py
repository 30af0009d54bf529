"""A corpus as packed tokens: shards of some megabytes of text, each tokenised once for all jobs.

A shard is a file: tokens, uint16 or uint32, each document's followed by the end token; the places after the
ends of documents, int64; then four numbers, int64: tokens, documents, unknown tokens, bytes of text. Its name
has the digest of text, cut and tokenizer, so that a second job, and an attempt after a kill, find it made.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.corpora.corpus import Corpus
from jobs.errors import Stopped
from jobs.tokens.segments import cut_near, segments
from jobs.tokens.splitting import Parts
from jobs.tokens.stream import Shard, Shards
from jobs.tokens.tokenizer import TextTokenizer

Array = np.ndarray[Any, Any]

logger = logging.getLogger(__name__)

#: Bytes of text in a shard, about: what a kill costs at most.
SHARD = 16 << 20
#: Bytes of text that are tokenised at once: their tokens as Python objects take some 100 bytes each.
BLOCK = 1 << 20
#: Raised when an equal corpus gives other shards than before.
_VERSION = 1


def packed(
    corpus: Corpus, parts: Parts, tokenizer: TextTokenizer, end: int | None, context: JobContext
) -> Shards:
    """All tokens of a corpus, in shards that are made where there are none.

    Args:
        corpus: any.
        parts: tells its documents.
        tokenizer: whose tokens.
        end: the token after each document; None for none.
        context: where shards are kept.

    Raises:
        Stopped: asked to stop; the shards made so far are kept.
    """
    about = json.dumps([_VERSION, corpus.digest, parts.cut, tokenizer.digest, end, SHARD])
    digest = sha256(about.encode()).hexdigest()[:40]
    packing = _Packing(corpus, parts.offsets, tokenizer, end, context)
    edges = edges_of(corpus, parts.offsets)
    found = []
    for number, (first, until) in enumerate(pairwise(edges)):
        if (reason := context.should_stop()) is not None:
            raise Stopped(f"stopped ({reason}) after {number} of {len(edges) - 1} shards of tokens")
        path = context.cached_file(f"shards/{digest}/{number:06d}", packing.making(first, until))
        found.append(Shard.open(path, tokenizer.type))
        context.report(Progress(0, 1, f"tokens, {until / 1e6:.0f} of {corpus.bytes / 1e6:.0f} MB"))
    logger.info("%d of %d shards of tokens were there", len(found) - packing.made, len(found))
    return Shards(tuple(found), packing.made)


def edges_of(corpus: Corpus, offsets: Array) -> list[int]:
    """The bytes at which shards begin, and the end of the last: a document's beginning where one is near."""
    edges = [0]
    for target in range(SHARD, corpus.bytes, SHARD):
        near = int(offsets[np.searchsorted(offsets, target)])
        edges.append(near if near < target + SHARD // 2 else cut_near(corpus.text, target - BLOCK, target))
    if edges[-1] < corpus.bytes:
        edges.append(corpus.bytes)
    return edges


@dataclass
class _Packing:
    """Writes shards of one corpus.

    Attributes:
        made: how many of them were not there.
    """

    corpus: Corpus
    offsets: Array
    tokenizer: TextTokenizer
    end: int | None
    context: JobContext
    made: int = field(default=0)

    def making(self, first: int, until: int) -> "_Making":
        """What writes the shard between two bytes."""
        return _Making(self, first, until)

    def checked(self) -> Self:
        """The same, once the corpus was looked at, before its first shard is made."""
        if not self.made:
            self.corpus.check()
        self.made += 1
        return self


@dataclass(frozen=True)
class _Making:
    packing: _Packing
    first: int
    until: int

    def __call__(self, path: Path) -> None:
        packing = self.packing.checked()
        tokens = unknown = 0
        ends: list[int] = []
        with path.open("wb") as file:
            for block in self._blocks():
                numbers = packing.tokenizer.encode([piece for piece, _ in block])
                lasts = [last for _, last in block]
                if packing.end is not None:
                    for ids, last in zip(numbers, lasts, strict=True):
                        ids += [packing.end] if last else []
                places = tokens + np.cumsum([len(ids) for ids in numbers], dtype=np.int64)
                ends += places[np.array(lasts, bool)].tolist()
                flat = np.fromiter(chain.from_iterable(numbers), packing.tokenizer.type)
                if packing.tokenizer.unknown is not None:
                    unknown += int(np.count_nonzero(flat == packing.tokenizer.unknown))
                flat.tofile(file)
                tokens += len(flat)
                done = f"tokens, {self.first / 1e6:.0f} of {packing.corpus.bytes / 1e6:.0f} MB"
                packing.context.report(Progress(0, 1, done))
            file.write(b"\0" * (-file.tell() % 8))
            np.array([*ends, tokens, len(ends), unknown, self.until - self.first], np.int64).tofile(file)

    def _blocks(self) -> Iterator[list[tuple[str, bool]]]:
        """Pieces, each with whether its document ends with it, some together."""
        block: list[tuple[str, bool]] = []
        size = 0
        for piece, last in self._pieces():
            block.append((piece, last))
            size += len(piece)
            if size >= BLOCK or len(block) >= 4096:
                yield block
                block, size = [], 0
        if block:
            yield block

    def _pieces(self) -> Iterator[tuple[str, bool]]:
        offsets = self.packing.offsets
        document = int(np.searchsorted(offsets, self.first, "right")) - 1
        begin = self.first
        while begin < self.until:
            close = int(offsets[document + 1])
            until = min(close, self.until)
            pieces = segments(self.packing.corpus, begin, until)
            waiting = next(pieces)
            for piece in pieces:
                yield waiting, False
                waiting = piece
            yield waiting, until == close
            begin, document = until, document + 1
