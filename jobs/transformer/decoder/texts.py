"""From texts to the tokens of a decoder, and back."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from jobs.errors import BadInput
from jobs.pretrained.files import GENERATION_CONFIG, TOKENIZER
from jobs.pretrained.tokens import hugging_face_tokenizer
from jobs.transformer.decoder.folders import config_of
from jobs.transformer.decoder.layout import Array


class Texts:
    """The tokenizer of a folder.

    Args:
        folder: of a decoder.

    Raises:
        BadInput: it has no tokenizer that can be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.hugging_face = hugging_face_tokenizer(folder)
        self._fast = self.hugging_face.backend_tokenizer
        self._fast.no_truncation()
        self._fast.no_padding()

    @property
    def content(self) -> str:
        """The tokenizer as tokenizer.json has it."""
        return str(self._fast.to_str())

    @property
    def end(self) -> int:
        """The token that ends an answer: the tokenizer's own, or the first of those that do."""
        own = self.hugging_face.eos_token_id
        return int(own) if own is not None else min(self.ends)

    def complete(self, folder: Path) -> None:
        """Writes tokenizer.json into a folder that has none, as where the tokenizer came in another form."""
        if not (folder / TOKENIZER).is_file():
            self.hugging_face.save_pretrained(folder)

    @property
    def chats(self) -> bool:
        """Whether the tokenizer has a template for chats."""
        return bool(self.hugging_face.chat_template)

    def encoded(self, text: str, *, special: bool = True) -> Array:
        """The tokens of a text, int32 (tokens,).

        Args:
            text: of any length.
            special: whether the tokenizer adds what it adds at the beginning and the end of texts.
        """
        return np.array(self._fast.encode(text, add_special_tokens=special).ids, np.int32)

    def prompt(self, text: str) -> Array:
        """The tokens of a text that is to be gone on with, int32 (tokens,): no end is added to it."""
        found = self.encoded(text)
        while len(found) and int(found[-1]) in self.ends:
            found = found[:-1]
        return found

    def chat(self, prompt: str, system: str | None) -> str:
        """A prompt as the template has it, up to where the answer begins.

        Raises:
            BadInput: the template refuses it.
        """
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": prompt})
        try:
            return str(
                self.hugging_face.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            )
        except Exception as error:  # whatever a template does
            raise BadInput(f"the chat template of {self._folder.name} refuses a prompt: {error}") from error

    def decoded(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without the special ones."""
        return str(self._fast.decode(list(tokens), skip_special_tokens=True))

    @cached_property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer: of config.json, generation_config.json and the tokenizer."""
        found = [config_of(self._folder).get("eos_token_id"), self.hugging_face.eos_token_id]
        if (said := self._folder / GENERATION_CONFIG).is_file():
            try:
                found.append(json.loads(said.read_text(encoding="utf-8")).get("eos_token_id"))
            except (ValueError, AttributeError) as error:
                raise BadInput(
                    f"{GENERATION_CONFIG} of {self._folder.name} cannot be read: {error}"
                ) from error
        tokens = [token for each in found for token in (each if isinstance(each, list) else [each])]
        return frozenset(int(token) for token in tokens if token is not None)
