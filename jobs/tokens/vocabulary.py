"""Vocabularies made from a corpus: byte-level BPE, bytes, characters; the same from the same text, always.

Byte-level BPE (Sennrich et al., 2016; Radford et al., 2019) merges the most frequent pairs of bytes; of pairs
that are as frequent the library takes the one with the lower numbers. Training a WordPiece vocabulary gave
another one in each of four processes, and is not offered.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal
from zlib import crc32

import numpy as np

from jobs.context import JobContext, Progress
from jobs.datasets.corpora.corpus import Array, Corpus
from jobs.errors import BadInput
from jobs.tokens.segments import segments
from jobs.tokens.splitting import Parts
from jobs.tokens.tokenizer import TextTokenizer

Vocabulary = Literal["bpe", "bytes", "characters"]
#: Raised when an equal corpus gives another vocabulary than before.
_VERSION = 2
#: Bytes of text from which a vocabulary is made, at most: pieces from all over.
MOST = 64 << 20
#: Bytes of different words, at most: BPE keeps them in memory, some 25 bytes for each of theirs. Ordinary
#: text has far fewer; in text without spaces every word is another one, and fewer pieces are taken.
DISTINCT = 16 << 20
#: Bits that tell which words were met, as a power of two: one in a hundred of two million is missed.
_MET = 27
#: Characters of the longest token; runs of one character would become words of their own.
_LONGEST = 32
#: The name under which a job keeps its vocabulary.
_SHARD = "tokenizer.json"


@dataclass(frozen=True)
class Wanted:
    """What vocabulary is wanted.

    Attributes:
        kind: `bpe`, `bytes` (256 tokens) or `characters` (those of the text, and one for all others).
        size: tokens of a `bpe` vocabulary, the special ones included.
        special: the special tokens, which come first; among them `<unk>` for `characters`.
    """

    kind: Vocabulary
    size: int
    special: tuple[str, ...]


def vocabulary_of(corpus: Corpus, parts: Parts, wanted: Wanted, context: JobContext) -> TextTokenizer:
    """The vocabulary of a corpus's training documents: made once, and kept by what it was made from.

    The job keeps it as well, so that no attempt makes it again.

    Raises:
        BadInput: there is less text than such a vocabulary needs.
    """
    if (kept := context.shard(_SHARD)) is not None:
        return TextTokenizer(kept.read_text(encoding="utf-8"))

    def make() -> bytes:
        corpus.check()
        every = every_piece(corpus, parts, context) if wanted.kind == "bpe" else _every(parts)
        return made(_texts(corpus, parts, every, context), wanted).encode()

    about = json.dumps([_VERSION, corpus.digest, parts.cut, _digest_of(parts.train), vars(wanted)])
    content = context.cached(f"vocabularies/{sha256(about.encode()).hexdigest()[:40]}", make)
    path = context.folder / _SHARD
    path.write_bytes(content)
    context.save_shard(_SHARD, path)
    return TextTokenizer(content.decode())


def made(texts: Iterable[str], wanted: Wanted) -> str:
    """The content of a tokenizer.json; a function of texts and wish alone.

    Raises:
        BadInput: the texts give fewer tokens than asked for.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    special = [AddedToken(token, normalized=False, special=True) for token in wanted.special]
    if wanted.kind == "characters":
        letters: set[str] = set()
        for text in texts:
            letters.update(text)
        numbers = {token: number for number, token in enumerate((*wanted.special, *sorted(letters)))}
        tokenizer = Tokenizer(models.BPE(numbers, [], unk_token="<unk>"))  # noqa: S106 - no password
        tokenizer.decoder = decoders.Fuse()
        tokenizer.add_special_tokens(special)
        return str(tokenizer.to_str())
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    size = len(special) + len(alphabet) if wanted.kind == "bytes" else wanted.size
    trainer: Any = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=special,
        initial_alphabet=alphabet,
        max_token_length=_LONGEST,
        show_progress=False,
    )
    tokenizer.train_from_iterator(iter(()) if wanted.kind == "bytes" else iter(texts), trainer)
    if (found := tokenizer.get_vocab_size()) < size:
        raise BadInput(
            f"the text has pairs for a vocabulary of {found} tokens, and {size} are asked for: choose "
            f"vocabulary_size={found} or less"
        )
    return str(tokenizer.to_str())


def _digest_of(documents: Array) -> str:
    return sha256(documents.astype(np.int64).tobytes()).hexdigest()


def every_piece(corpus: Corpus, parts: Parts, context: JobContext) -> int:
    """Which pieces of the training documents BPE is made from: every so many, by their bytes and words."""
    every = _every(parts)
    return every * max(1, -(-distinct(_texts(corpus, parts, every, context)) // DISTINCT))


def distinct(texts: Iterable[str]) -> int:
    """Bytes of all different words, by white space, nearly: a word that shares its bit with one is missed."""
    met, found = bytearray(1 << _MET - 3), 0
    for text in texts:
        for word in sorted(set(text.encode().split())):
            place = crc32(word) & (1 << _MET) - 1
            if not met[place >> 3] >> (place & 7) & 1:
                met[place >> 3] |= 1 << (place & 7)
                found += len(word)
    return found


def _every(parts: Parts) -> int:
    sizes = parts.offsets[parts.train + 1] - parts.offsets[parts.train]
    return max(1, -(-int(sizes.sum()) // MOST))


def _texts(corpus: Corpus, parts: Parts, every: int, context: JobContext) -> Iterator[str]:
    """The text to make a vocabulary from: every so many pieces."""
    number = done = 0
    for document in parts.train.tolist():
        for piece in segments(corpus, int(parts.offsets[document]), int(parts.offsets[document + 1])):
            if number % every == 0:
                yield piece
            number += 1
            done += len(piece)
            if number % 4096 == 0:
                context.report(Progress(0, 1, f"vocabulary, {done / 1e6:.0f} million characters"))
