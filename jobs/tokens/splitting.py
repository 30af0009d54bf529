"""Which of a corpus is trained on, and which is held out: whole documents, or the end of the text."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from jobs.datasets.corpora.corpus import Corpus
from jobs.errors import BadInput

Array = np.ndarray[Any, Any]

#: How the held-out part is chosen; `auto` by the number of documents.
HoldOut = Literal["auto", "documents", "end"]
#: Documents from which on whole ones are held out, unless it is asked otherwise.
ENOUGH = 20


@dataclass(frozen=True)
class Parts:
    """A corpus cut into documents for training and documents that are held out.

    Attributes:
        offsets: where each document begins in the text, and the end of the last, int64 (documents + 1,).
        train: numbers of the documents to train on, in order, int64 (documents,).
        held_out: numbers of the others, in order.
        cut: the byte at which a text was cut in two; 0 if none was.
        note: how it was done, for people.
    """

    offsets: Array
    train: Array
    held_out: Array
    cut: int
    note: str


def split(corpus: Corpus, share: float, seed: int, how: HoldOut = "auto") -> Parts:
    """Holds out a share of a corpus: a function of its arguments alone.

    Args:
        corpus: any.
        share: of the documents, or of the text, that is held out; 0 for nothing.
        seed: draws the documents.
        how: `documents` are drawn, or the `end` of the text, all documents one after the other, is taken.

    Raises:
        BadInput: nothing would be left to train on, or nothing held out.
    """
    if how == "auto":
        how = "documents" if len(corpus) >= ENOUGH else "end"
    if not share:
        everything = np.arange(len(corpus))
        return Parts(corpus.offsets, everything, everything[:0], 0, "nothing is held out")
    return _documents(corpus, share, seed) if how == "documents" else _end(corpus, share)


def _documents(corpus: Corpus, share: float, seed: int) -> Parts:
    count = len(corpus)
    held = max(1, round(share * count))
    if held >= count:
        raise BadInput(
            f"of {count} documents {held} would be held out, and none left to train on: hold out the end of "
            "the text (hold_out='end'), or a smaller share"
        )
    philox = np.random.Philox(key=np.array([seed, 2**40], np.uint64))
    order = np.random.Generator(philox).permutation(count)
    note = f"{held} of {count} documents are held out, drawn by the seed"
    return Parts(corpus.offsets, np.sort(order[held:]), np.sort(order[:held]), 0, note)


def _end(corpus: Corpus, share: float) -> Parts:
    cut = int(corpus.bytes * (1 - share))
    while cut > 0 and corpus.text[cut] & 0xC0 == 0x80:  # inside a character
        cut -= 1
    if not 0 < cut < corpus.bytes:
        raise BadInput(
            f"the text has {corpus.bytes} bytes, too few to hold out a share of {share} and learn from "
            "the rest; give more text, or another share"
        )
    offsets = np.unique(np.append(corpus.offsets, cut))
    before = int(np.searchsorted(offsets, cut))
    documents = np.arange(len(offsets) - 1)
    note = f"the last {corpus.bytes - cut} of {corpus.bytes} bytes of the text are held out"
    return Parts(offsets, documents[:before], documents[before:], cut, note)
