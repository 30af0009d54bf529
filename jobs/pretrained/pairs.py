"""Texts as pieces with their places in the source, and two texts as one row of tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from jobs.errors import BadInput
from jobs.pretrained.tokens import Array, Tokenizer


@dataclass(frozen=True, eq=False)
class Pieces:
    """The tokens of a text, without special ones.

    Attributes:
        ids: int32 (tokens,).
        begins: the first character of each in the text, int64 (tokens,); white space around it left out.
        ends: the character after its last one, int64 (tokens,); a token of nothing ends where it begins.
    """

    ids: Array
    begins: Array
    ends: Array

    def __len__(self) -> int:
        """Tokens."""
        return len(self.ids)

    @cached_property
    def may_begin(self) -> Array:
        """Whether a span of the text may begin with a token, bool (tokens,).

        Of several tokens that begin with the same character, such as the bytes of an emoji, the first does.
        """
        first = np.ones(len(self.ids), bool)
        there = np.flatnonzero(self.ends > self.begins)
        first[there[1:]] = self.begins[there[1:]] != self.begins[there[:-1]]
        found: Array = first & (self.ends > self.begins)
        return found

    @cached_property
    def may_end(self) -> Array:
        """Whether a span of the text may end with a token, bool (tokens,): of several, the last one does."""
        last = np.ones(len(self.ids), bool)
        there = np.flatnonzero(self.ends > self.begins)
        last[there[:-1]] = self.ends[there[1:]] != self.ends[there[:-1]]
        found: Array = last & (self.ends > self.begins)
        return found

    def tokens_of(self, begin: int, end: int) -> tuple[int, int] | None:
        """The first and the last token of some characters of the text; None if no token has any of them."""
        first = np.flatnonzero(self.may_begin & (self.ends > begin) & (self.begins < end))
        last = np.flatnonzero(self.may_end & (self.ends > begin) & (self.begins < end))
        if not len(first) or not len(last) or first[0] > last[-1]:
            return None
        return int(first[0]), int(last[-1])


class Pairs:
    """A checkpoint's tokenizer for two texts in a row: `[CLS] first [SEP] second [SEP]`, or as others do.

    Args:
        folder: of the checkpoint.
        max_length: tokens of a row, the special ones included.

    Attributes:
        before: special tokens before the first text.
        between: those between both.
        after: those at the end.
        pad: what fills short rows up.

    Raises:
        BadInput: the folder has no tokenizer that can be used, or the model has fewer positions.
    """

    def __init__(self, folder: Path, max_length: int) -> None:
        self.tokenizer = Tokenizer(folder, max_length)
        self.max_length = max_length
        self._name, self._vocabulary = folder.name, self.tokenizer.vocabulary
        self._fast = self.tokenizer.hugging_face.backend_tokenizer
        self._fast.no_truncation()
        self.pad = self.tokenizer.pad
        self.before, self.between, self.after = self._special()

    @property
    def special(self) -> int:
        """Special tokens in a row."""
        return len(self.before) + len(self.between) + len(self.after)

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        """The tokens of each text, however long.

        Raises:
            BadInput: a token is none that the model has.
        """
        found = []
        for text, encoding in zip(
            texts, self._fast.encode_batch(list(texts), add_special_tokens=False), strict=True
        ):
            ids = np.array(encoding.ids, np.int32)
            if len(ids) and int(ids.max()) >= self._vocabulary:
                raise BadInput(
                    f"the tokenizer of {self._name} gave a text the token {ids.max()}, and its model has 0 "
                    f"to {self._vocabulary - 1}: they are of two models; save both together"
                )
            found.append(Pieces(ids, *_trimmed(text, encoding.offsets)))
        return found

    def save(self, folder: Path) -> None:
        """Writes tokenizer.json and tokenizer_config.json."""
        self.tokenizer.save(folder)
        self._fast.no_truncation()

    def _special(self) -> tuple[Array, Array, Array]:
        encoding = self._fast.encode("a", "b")
        of, ids = encoding.sequence_ids, np.array(encoding.ids, np.int32)
        places = [[number for number, text in enumerate(of) if text == each] for each in (0, 1)]
        if not places[0] or not places[1] or places[0][-1] > places[1][0]:
            raise BadInput(
                f"the tokenizer of {self._name} does not put two texts in a row as first and second; "
                "questions and documents are read as such"
            )
        first, second = places
        return ids[: first[0]], ids[first[-1] + 1 : second[0]], ids[second[-1] + 1 :]


def _trimmed(text: str, offsets: Sequence[tuple[int, int]]) -> tuple[Array, Array]:
    """First character of each token and the one after its last, int64, without white space around them."""
    begins, ends = (np.ascontiguousarray(column) for column in np.array(offsets, np.int64).reshape(-1, 2).T)
    space = np.fromiter(map(str.isspace, text), bool, len(text))
    space = np.append(space, False)  # for what begins after the last character, or ends before the first
    while (leading := (begins < ends) & space[begins]).any():
        begins += leading
    while (trailing := (begins < ends) & space[ends - 1]).any():
        ends -= trailing
    return begins, ends
