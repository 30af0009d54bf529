"""What a training on masked words begins with: a checkpoint, its tokenizer, and rows of tokens."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jobs.context import JobContext
from jobs.datasets.corpora.corpus import Corpus
from jobs.datasets.corpora.named import corpus_of
from jobs.errors import BadInput
from jobs.pretrained.built import fresh
from jobs.pretrained.families import FAMILIES
from jobs.pretrained.fields import config_of
from jobs.pretrained.sources import checkpoint_of, folder_of
from jobs.pretrained.tokens import Tokenizer
from jobs.selfsupervised.text.learner import Ends
from jobs.selfsupervised.text.masking import Hidden, Words, hidden_for_good
from jobs.selfsupervised.text.resizing import with_new_words
from jobs.selfsupervised.text.spec import TrainText
from jobs.tokens.packing import packed
from jobs.tokens.splitting import Parts, split
from jobs.tokens.stream import Shards, Stream
from jobs.tokens.tokenizer import TextTokenizer
from jobs.tokens.vocabulary import Wanted, vocabulary_of

Array = np.ndarray[Any, Any]

#: Fields that say what a model is.
_OF_MODEL = ("pretrained", "new_words", "vocabulary", "vocabulary_size", "layers", "hidden", "heads")
#: Tokens of a row, unless it is asked otherwise.
USUAL = 128
#: What words begin with in byte-level BPE (a space, a line feed, a tab) and in SentencePiece.
_MARKS = frozenset("\u0120\u010a\u0109\u2581")


@dataclass(frozen=True)
class Reading:
    """How a checkpoint reads text.

    Attributes:
        folder: of the checkpoint.
        tokenizer: of running text.
        words: what masking has to know.
        ends: of a row.
        texts: the checkpoint's own tokenizer, of texts with special tokens.
    """

    folder: Path
    tokenizer: TextTokenizer
    words: Words
    ends: Ends
    texts: Tokenizer = field(repr=False)


@dataclass(frozen=True)
class Prepared:
    """All that a training begins with.

    Attributes:
        reading: the checkpoint, and how it reads.
        corpus: the text.
        parts: which of it is held out.
        shards: its tokens.
        train: the training part.
        held_out: the other.
    """

    reading: Reading
    corpus: Corpus = field(repr=False)
    parts: Parts = field(repr=False)
    shards: Shards = field(repr=False)
    train: Stream = field(repr=False)
    held_out: Stream = field(repr=False)


def prepare(spec: TrainText, context: JobContext) -> Prepared:
    """Makes or finds the vocabulary and the tokens of a training.

    Raises:
        BadInput: the corpus or the checkpoint cannot be loaded here, or there is too little text.
        Stopped: asked to stop; the tokens so far are kept.
    """
    corpus = corpus_of(spec.dataset, context)
    parts = split(corpus, spec.held_out, spec.seed, spec.hold_out)
    if spec.start is not None:
        folder = _of_start(spec, context)
    elif spec.pretrained is not None:
        folder = _given(spec, context)
    else:
        folder = _new(spec, corpus, parts, context)
    reading = read(folder, spec.max_length)
    shards = packed(corpus, parts, reading.tokenizer, reading.ends.last, context)
    train = shards.stream(parts.train, context.folder / "train.tokens")
    held_out = shards.stream(parts.held_out, context.folder / "held-out.tokens")
    if len(train) < width_of(spec.max_length):
        raise BadInput(
            f"the training part of {spec.dataset!r} has {len(train)} tokens, and a row {spec.max_length}: "
            "give more text, or a smaller max_length"
        )
    return Prepared(reading, corpus, parts, shards, train, held_out)


def width_of(max_length: int) -> int:
    """Tokens of the text in a row, which has one more at each end."""
    return max_length - 2


def _new(spec: TrainText, corpus: Corpus, parts: Parts, context: JobContext) -> Path:
    special = tuple(fresh.SPECIAL.values())
    wanted = Wanted(spec.vocabulary, spec.vocabulary_size, special)
    tokenizer = vocabulary_of(corpus, parts, wanted, context)
    folder = context.folder / "begin"
    folder.mkdir()
    sizes = fresh.Sizes(spec.layers, spec.hidden, spec.heads, spec.max_length, spec.dropout)
    content = fresh.with_ends(tokenizer.content, joins_spaces=spec.vocabulary == "bpe")
    fresh.write(folder, content, tokenizer.size, sizes, spec.seed)
    return folder


def _of_start(spec: TrainText, context: JobContext) -> Path:
    """What the job has left whose weights are taken: they are of its vocabulary, not of another corpus's."""
    before = context.spec_of(str(spec.start))
    for name in _OF_MODEL:
        its, mine = getattr(before, name, None), getattr(spec, name)
        if its != mine:
            raise BadInput(
                f"field {name!r} should be {its!r} as in job {spec.start}, whose weights are taken, received "
                f"{mine!r}"
            )
    return checkpoint_of(spec.start, "", context)


def _given(spec: TrainText, context: JobContext) -> Path:
    folder = folder_of(str(spec.pretrained), context)
    if not spec.new_words:
        return folder
    return with_new_words(folder, spec.new_words, context.folder / "begin", spec.seed)


def read(folder: Path, max_length: int | None) -> Reading:
    """How a checkpoint reads text.

    Args:
        folder: of the checkpoint.
        max_length: tokens of a row; by default `USUAL`, or as many as the model has positions.

    Raises:
        BadInput: its tokenizer cannot be read, or has no mask, or its rows are shorter.
    """
    config = config_of(folder)
    positions = int(config["max_position_embeddings"]) - FAMILIES[config["model_type"]].reserved
    loaded = Tokenizer(folder, max_length or min(USUAL, positions))
    known = loaded.hugging_face
    numbers = {name: getattr(known, f"{name}_token_id") for name in ("mask", "cls", "sep")}
    if missing := [name for name, number in numbers.items() if number is None]:
        raise BadInput(
            f"the tokenizer of {folder.name} has no {missing[0]} token, which masked words need; take a "
            "checkpoint that was trained with masked words"
        )
    tokenizer = TextTokenizer(known.backend_tokenizer.to_str())
    vocabulary = int(config["vocab_size"])
    if tokenizer.size > vocabulary:
        raise BadInput(
            f"the tokenizer of {folder.name} has {tokenizer.size} tokens, and its model {vocabulary}: they "
            "are of two models; save both together"
        )
    words = _words(tokenizer, int(numbers["mask"]), set(known.all_special_ids), vocabulary)
    return Reading(folder, tokenizer, words, Ends(int(numbers["cls"]), int(numbers["sep"])), loaded)


def _words(tokenizer: TextTokenizer, mask: int, special: set[int], vocabulary: int) -> Words:
    tokens = [""] * vocabulary
    for token, number in tokenizer.fast.get_vocab(with_added_tokens=True).items():
        tokens[number] = token
    never = np.array([number in special or not token for number, token in enumerate(tokens)])
    inside = any(token.startswith("##") for token in tokens)
    begins = np.array([_begins(token, inside) for token in tokens]) | never
    return Words(mask, np.flatnonzero(~never).astype(np.int32), never, begins)


def _begins(token: str, marked_inside: bool) -> bool:
    """Whether a word begins with a token, as WordPiece, byte-level BPE or SentencePiece write it."""
    if marked_inside:
        return not token.startswith("##")
    return token[:1] in _MARKS or token.isspace()


def rows_of(stream: Stream, max_length: int, ends: Ends, most: int) -> tuple[Array, Array]:
    """Rows of a part as a model reads them, some from all over if there are more than wanted.

    Args:
        stream: of the part.
        max_length: tokens of a row.
        ends: of a row.
        most: rows that are wanted.

    Returns:
        tokens int32 (rows, max_length), short rows filled up with what ends them, and lengths int32 (rows,).
    """
    width = width_of(max_length)
    count = -(-len(stream) // width)
    spread = np.linspace(0, max(count - 1, 0), min(count, most))
    chosen = np.unique(spread.round().astype(np.int64))
    tokens = np.full((len(chosen), max_length), ends.last, np.int32)
    lengths = np.zeros(len(chosen), np.int32)
    tokens[:, 0] = ends.first
    for number, row in enumerate(chosen):
        part = stream.tokens[row * width : (row + 1) * width]
        tokens[number, 1 : len(part) + 1] = part
        lengths[number] = len(part) + 2
    return tokens, lengths


def hidden_rows(stream: Stream, max_length: int, reading: Reading, share: float, most: int) -> Hidden:
    """Rows of a part in which the same tokens are hidden whenever they are looked at."""
    return hidden_for_good(*rows_of(stream, max_length, reading.ends, most), share, reading.words)
