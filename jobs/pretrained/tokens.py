"""From texts to numbers of tokens, with the tokenizer of a checkpoint."""

import io
import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.pretrained.families import FAMILIES
from jobs.pretrained.fields import check, config_of, read
from jobs.pretrained.files import CONFIG, TOKENIZER_CONFIG

Array = np.ndarray[Any, Any]
#: Texts that are tokenised at once: their tokens as Python objects take some 100 bytes each.
BLOCK = 2_048
#: Characters of a text that are looked at for each token that is kept. No token of the families offered is
#: longer on average, and a text of a megabyte would otherwise cost seconds for 128 tokens.
CHARACTERS_PER_TOKEN = 64


class Tokenizer:
    """A checkpoint's tokenizer, which cuts every text to a number of tokens.

    Args:
        folder: of the checkpoint.
        max_length: tokens of a text that are kept, the special ones included.
        as_before: whether it is for a training by the first rules (`training.passes.RULES`), which keeps the
            beginning of a text, whatever tokenizer_config.json says.

    Attributes:
        positions: tokens that the model has places for; none may be added past them, not even padding.

    Raises:
        BadInput: the folder has no tokenizer, or one without a token for padding, or one that says what is
            not computed here, or the model has fewer positions than `max_length`.
    """

    def __init__(self, folder: Path, max_length: int, *, as_before: bool = False) -> None:
        self.max_length = max_length
        self._name = folder.name
        self.vocabulary = self.positions = 2**31 - 1
        if (folder / CONFIG).is_file():  # a tokenizer may lie in a folder of its own
            config = config_of(folder)
            self.positions = _positions(config, folder, max_length)
            self.vocabulary = int(config["vocab_size"])
        if (folder / TOKENIZER_CONFIG).is_file():
            check(read(folder, TOKENIZER_CONFIG), folder, TOKENIZER_CONFIG)
        self.hugging_face = hugging_face_tokenizer(folder)
        self._fast = self.hugging_face.backend_tokenizer
        if self.hugging_face.pad_token_id is None:
            raise BadInput(
                f"the tokenizer of {folder.name} has no pad token; give it one and save it again: "
                "tokenizer.pad_token = tokenizer.eos_token (or another that texts do not contain), then "
                "tokenizer.save_pretrained(folder)"
            )
        # Without resizing the model, a new pad token is none of its own. Any will do: none is looked at.
        pad = int(self.hugging_face.pad_token_id)
        self.pad = pad if pad < self.vocabulary else 0
        self.side = "right" if as_before else str(self.hugging_face.truncation_side)
        self._fast.no_padding()
        self._cut()

    def _cut(self) -> None:
        try:
            self._fast.enable_truncation(self.max_length, direction=self.side)
        except Exception as error:
            raise BadInput(
                f"the tokenizer of {self._name} cannot cut texts to {self.max_length} tokens "
                f"({error}); choose another max_length, or mend truncation_side in its {TOKENIZER_CONFIG}"
            ) from error

    def save(self, folder: Path) -> None:
        """Writes tokenizer.json and tokenizer_config.json, without the cutting."""
        self._fast.no_truncation()
        self.hugging_face.save_pretrained(folder)
        self._cut()

    @property
    def digest(self) -> str:
        """SHA-256 of all that the tokens of a text depend on, as hexadecimal digits."""
        return sha256(f"{self.max_length} {self._fast.to_str()}".encode()).hexdigest()

    def encoded(self, texts: Sequence[str]) -> tuple[Array, Array, Array]:
        """The tokens of all texts, in one block.

        Returns:
            tokens int32 (tokens,), how many each text has, int32 (texts,), and whether a text has more than
            are kept, bool (texts,).
        """
        most = CHARACTERS_PER_TOKEN * self.max_length
        left = self.side == "left"
        encodings = self._fast.encode_batch_fast([text[-most:] if left else text[:most] for text in texts])
        ids = [encoding.ids for encoding in encodings]
        lengths = np.fromiter(map(len, ids), np.int32, len(ids))
        cut = np.fromiter((len(text) > most for text in texts), bool, len(ids))
        for number in np.flatnonzero(lengths == self.max_length):
            cut[number] |= bool(encodings[number].overflowing)
        tokens = np.fromiter(chain.from_iterable(ids), np.int32, int(lengths.sum()))
        if len(tokens) and (highest := int(tokens.max())) >= self.vocabulary:
            raise BadInput(
                f"the tokenizer of {self._name} gave a text the token {highest}, and its model has 0 "
                f"to {self.vocabulary - 1}: they are of two models; save both together"
            )
        return tokens, lengths, cut

    def flat(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """The tokens of all texts, int32 (tokens,), and how many each text has, int32 (texts,)."""
        blocks = [self.encoded(texts[first : first + BLOCK]) for first in range(0, len(texts), BLOCK)]
        tokens, lengths, _ = zip(*blocks, strict=True)
        return np.concatenate(tokens), np.concatenate(lengths)

    def cached(self, texts: Sequence[str], digest: str, context: JobContext) -> tuple[Array, Array]:
        """`flat`, made once for all jobs.

        Args:
            texts: what to tokenise.
            digest: of the texts.
            context: keeps it.
        """

        def make() -> bytes:
            file = io.BytesIO()
            tokens, lengths = self.flat(texts)
            np.savez(file, tokens=tokens, lengths=lengths)
            return file.getvalue()

        content = context.cached(f"tokens/{digest[:32]}-{self.digest[:32]}", make)
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return arrays["tokens"], arrays["lengths"]


def hugging_face_tokenizer(folder: Path) -> Any:
    """The tokenizer of a checkpoint, as transformers reads it: one with a fast backend.

    Raises:
        BadInput: the folder has none that can be read.
    """
    # It would say that it found no PyTorch, which tokenizers do not need.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    from transformers import AutoTokenizer

    try:
        found = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        found.backend_tokenizer  # noqa: B018 - slow ones have none
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(
            f"{folder.name} has no tokenizer that can be read ({reason}); save one beside the model with "
            "tokenizer.save_pretrained(folder)"
        ) from error
    return found


def _positions(config: Mapping[str, Any], folder: Path, max_length: int) -> int:
    positions = int(config["max_position_embeddings"]) - FAMILIES[config["model_type"]].reserved
    if max_length > positions:
        raise BadInput(
            f"max_length is {max_length}, and {folder.name} reads {positions} tokens at most; choose "
            f"max_length={positions} or less"
        )
    return positions
