"""From texts to numbers of tokens, with the tokenizer of a checkpoint."""

import io
import json
import os
from collections.abc import Sequence
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from jobs.context import JobContext
from jobs.errors import BadInput

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

    Raises:
        BadInput: the folder has no tokenizer, or one without a token for padding, or the model has fewer
            positions than `max_length`.
    """

    def __init__(self, folder: Path, max_length: int) -> None:
        # It would say that it found no PyTorch, which tokenizers do not need.
        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
        from transformers import AutoTokenizer

        self.max_length = max_length
        _check_positions(folder, max_length)
        try:
            self.hugging_face: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise BadInput(
                f"{folder.name} has no tokenizer that can be read ({reason}); save one beside the model with "
                "tokenizer.save_pretrained(folder)"
            ) from error
        if self.hugging_face.pad_token_id is None:
            raise BadInput(
                f"the tokenizer of {folder.name} has no pad token; give it one and save it again: "
                "tokenizer.pad_token = tokenizer.eos_token (or another that texts do not contain), then "
                "tokenizer.save_pretrained(folder)"
            )
        self.pad = int(self.hugging_face.pad_token_id)
        self._fast = self.hugging_face.backend_tokenizer
        self._fast.no_padding()
        self._fast.enable_truncation(max_length)

    def save(self, folder: Path) -> None:
        """Writes tokenizer.json and tokenizer_config.json, without the cutting."""
        self._fast.no_truncation()
        self.hugging_face.save_pretrained(folder)
        self._fast.enable_truncation(self.max_length)

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
        encodings = self._fast.encode_batch_fast([text[:most] for text in texts])
        ids = [encoding.ids for encoding in encodings]
        lengths = np.fromiter(map(len, ids), np.int32, len(ids))
        cut = np.fromiter((len(text) > most for text in texts), bool, len(ids))
        for number in np.flatnonzero(lengths == self.max_length):
            cut[number] |= bool(encodings[number].overflowing)
        return np.fromiter(chain.from_iterable(ids), np.int32, int(lengths.sum())), lengths, cut

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


def _check_positions(folder: Path, max_length: int) -> None:
    try:
        config = json.loads((folder / "config.json").read_text())
        positions = int(config["max_position_embeddings"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # whoever loads the model says what is wrong with it
    # RoBERTa's first two positions stand for no place in a text.
    positions -= 2 if "roberta" in str(config.get("model_type")) else 0
    if max_length > positions:
        raise BadInput(
            f"max_length is {max_length}, and {folder.name} reads {positions} tokens at most; choose "
            f"max_length={positions} or less"
        )
