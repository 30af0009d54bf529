"""Writes text as the documents of a corpus, in bounded memory, however long a line is."""

import re
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np

from jobs.datasets.corpora.corpus import OFFSETS, TEXT
from jobs.datasets.readable import without_halves

#: What may tell documents apart.
Documents = Literal["file", "blank-line", "line", "row"]
DOCUMENTS: tuple[Documents, ...] = ("file", "blank-line", "line", "row")

_ENDS = {"blank-line": re.compile(r"\n(?:[^\S\n]*\n)+"), "line": re.compile(r"\n")}


class Documented:
    """Documents as they are written, one after the other; those that are empty are left out and counted.

    Args:
        folder: where text and offsets go.
    """

    def __init__(self, folder: Path) -> None:
        self._offsets_file = folder / OFFSETS
        self._text = (folder / TEXT).open("wb")
        self._ends = array("q", [0])
        self._bytes = 0
        self._filled = False  # whether the document under way has more than white space
        self.characters = self.empty = 0
        self._before = 0  # characters of the documents that have ended

    @property
    def count(self) -> int:
        """Documents so far."""
        return len(self._ends) - 1

    def add(self, part: str) -> None:
        """Writes a part of the document under way; half a character becomes U+FFFD."""
        content = without_halves(part)[0].encode()
        self._text.write(content)
        self._bytes += len(content)
        self.characters += len(part)
        self._filled = self._filled or bool(part.strip())

    def end(self) -> None:
        """Ends the document under way."""
        if self._filled:
            self._ends.append(self._bytes)
        else:
            self._drop()
        self._before, self._filled = self.characters, False

    def close(self) -> None:
        """Writes the offsets."""
        self._text.close()
        np.save(self._offsets_file, np.asarray(self._ends, np.int64))

    def _drop(self) -> None:
        """Takes back what there is of a document that is empty, or white space alone."""
        self.empty += 1
        self._bytes = self._ends[-1]
        self._text.seek(self._bytes)
        self._text.truncate()
        self.characters = self._before


def divide(blocks: Iterable[str], documents: Documents, into: Documented) -> None:
    """Writes the text of a file as documents; the end of the file ends one.

    Args:
        blocks: the text, in pieces of any size, with line feeds alone at the ends of lines.
        documents: what tells them apart; anything but `blank-line` and `line` makes one document.
        into: takes them.
    """
    ends, waiting = _ENDS.get(documents), ""
    for block in blocks:
        if ends is None:
            into.add(block)
            continue
        block = waiting + block
        # White space at its end may be the beginning of what ends a document; at the end of all it is none.
        kept = len(block.rstrip())
        block, waiting = block[:kept], block[kept:]
        for number, part in enumerate(ends.split(block)):
            if number:
                into.end()
            into.add(part)
    into.end()
