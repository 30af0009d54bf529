"""A tokenizer for running text, from the tokenizer.json of a checkpoint or of a vocabulary made here."""

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np

from jobs.errors import BadInput

Array = np.ndarray[Any, Any]


class TextTokenizer:
    """Tokens of pieces of text, without the special tokens that begin and end a model's input.

    Attributes:
        content: of tokenizer.json, without any cutting or padding.
        fast: the library's tokenizer.

    Args:
        content: of tokenizer.json.

    Raises:
        BadInput: it is none.
    """

    def __init__(self, content: str) -> None:
        from tokenizers import Tokenizer

        try:
            self.fast: Any = Tokenizer.from_str(content)
        except Exception as error:  # the library raises nothing narrower
            raise BadInput(f"tokenizer.json cannot be read: {error}") from error
        self.fast.no_truncation()
        self.fast.no_padding()
        self.fast.encode_special_tokens = True  # a text that spells one is text
        self.content = str(self.fast.to_str())

    @property
    def size(self) -> int:
        """One more than the highest number of a token."""
        return int(max(self.fast.get_vocab(with_added_tokens=True).values())) + 1

    @property
    def type(self) -> type[np.unsignedinteger[Any]]:
        """What holds a token in a file: uint16 where the vocabulary allows it, else uint32."""
        return np.uint16 if self.size <= 2**16 else np.uint32

    @cached_property
    def digest(self) -> str:
        """SHA-256 of tokenizer.json, as hexadecimal digits."""
        return sha256(self.content.encode()).hexdigest()

    @cached_property
    def unknown(self) -> int | None:
        """The number of the token for what is not in the vocabulary; None if there is none."""
        name = getattr(self.fast.model, "unk_token", None)
        if name is None:  # SentencePiece's models tell its number, not its name
            name = next((each for each in ("<unk>", "[UNK]") if self.number(each) is not None), None)
        return None if name is None else self.number(name)

    def number(self, token: str) -> int | None:
        """The number of a token; None if it is none."""
        found = self.fast.token_to_id(token)
        return None if found is None else int(found)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of the tokens of each text."""
        found = self.fast.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of some tokens; special tokens stay in it."""
        return str(self.fast.decode(list(tokens), skip_special_tokens=False))
