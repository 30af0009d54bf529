"""Pieces of text that are tokenised at once: short enough for any tokenizer, cut where words begin.

Tokens of a piece are, but for a word that is longer than a piece, those that they would be in the whole text.
"""

from collections.abc import Iterator

from jobs.datasets.corpora.corpus import Array, Corpus

#: Bytes of a piece. A word that is longer is cut: tokenizers take a time and a memory that grow with words.
SEGMENT = 8192
_SPACE = frozenset(b" \t\n\r\v\f")
#: Spaces that are looked at, from the end of a piece, before any of them will do.
_TRIES = 64


def cut_near(text: Array, first: int, end: int) -> int:
    """The byte before which a piece that begins at `first` ends: at `end` or, mostly, some bytes before."""
    if end >= len(text):
        return len(text)
    data = bytes(text[first : end + 1])
    place = len(data) - 1
    for _ in range(_TRIES):
        place = data.rfind(b" ", 1, place)
        if place < 0:
            break
        if data[place - 1] not in _SPACE and data[place + 1] not in _SPACE:
            return first + place
    place = max(data.rfind(b" ", 1, -1), data.rfind(b"\n", 1, -1))
    if place < 1:
        place = len(data) - 1
        while place > 1 and data[place] & 0xC0 == 0x80:  # inside a character
            place -= 1
    return first + place


def segments(corpus: Corpus, first: int, end: int) -> Iterator[str]:
    """The text between two bytes of one document in pieces."""
    while first < end:
        # `end` is no place to look beyond: there a document, or a shard, ends.
        until = end if end - first <= SEGMENT else min(cut_near(corpus.text, first, first + SEGMENT), end)
        yield corpus.read(first, until)
        first = until
