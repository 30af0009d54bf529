"""A model that is asked for hidden words, and learns nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from jobs.errors import BadInput
from jobs.pretrained.masked import Masked, load
from jobs.selfsupervised.text.masking import Hidden
from jobs.training import machine
from jobs.transformer.encoder.forward import states_of

Array = np.ndarray[Any, Any]

#: Rows that are computed at once.
ROWS = 32
_ROWS_OF_TOKENS = tf.TensorSpec((None, None), tf.int32)
_NUMBERS = tf.TensorSpec((None,), tf.int32)


class Asked:
    """An encoder with a head for masked words, without dropout.

    Args:
        model: with its weights.
        precision: what to multiply in: auto, float32 or bfloat16.
        never: by token, whether `probable` never tells it, bool (vocabulary,).
    """

    def __init__(self, model: Masked, precision: str, never: Array) -> None:
        self.model, self.precision = model, machine.precision(precision)
        self._never = np.where(never, np.float32(-1e9), np.float32(0))

    def logits(
        self, tokens: tf.Tensor, lengths: tf.Tensor, places: tf.Tensor, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Logits of words at some places only, float32 (places, vocabulary).

        Args:
            tokens: int32 (batch, length).
            lengths: int32 (batch,).
            places: among all tokens of the batch, int32 (places,).
            seed: int64 (2,), draws the dropout; None for none.
        """
        model = self.model
        states = states_of(model.backbone, model.family, tokens, lengths, seed=seed, precision=self.precision)
        return model.head.logits(tf.gather(states, places), model.table.value)

    def scores(self, hidden: Hidden) -> tuple[Array, Array]:
        """Cross-entropy in nats, float32 (rows, hidden), and whether the best word is right, by place."""
        losses, right = [], []
        for first in range(0, len(hidden), ROWS):
            # Of few shapes: each is compiled anew. Rows that come twice are cut off again.
            part = np.arange(first, first + min(ROWS, len(hidden))) % len(hidden)
            tokens, places = hidden.tokens[part], hidden.places[part]
            flat = places + np.arange(len(tokens), dtype=np.int32)[:, None] * tokens.shape[1]
            given = (tokens, hidden.lengths[part], flat.reshape(-1), hidden.truth[part].reshape(-1))
            loss, hit = self._scored(*map(tf.constant, given))
            losses.append(loss.numpy().reshape(places.shape))
            right.append(hit.numpy().reshape(places.shape))
        return np.concatenate(losses)[: len(hidden)], np.concatenate(right)[: len(hidden)]

    def probable(self, tokens: Array, lengths: Array, places: Array, most: int) -> tuple[Array, Array]:
        """The most probable tokens at some places, int32 and float32 (places, most).

        Args:
            tokens: int32 (texts, length).
            lengths: int32 (texts,).
            places: among all tokens, int32 (places,).
            most: tokens for each place.
        """
        given = map(tf.constant, (tokens, lengths, places))
        numbers, shares = self._probable(*given, tf.constant(most))
        return numbers.numpy(), shares.numpy()

    @tf.function(input_signature=[_ROWS_OF_TOKENS, *[_NUMBERS] * 3], autograph=False)
    def _scored(
        self, tokens: tf.Tensor, lengths: tf.Tensor, places: tf.Tensor, truth: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        logits = self.logits(tokens, lengths, places)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits)
        return losses, tf.argmax(logits, axis=1, output_type=tf.int32) == truth

    @tf.function(
        input_signature=[_ROWS_OF_TOKENS, *[_NUMBERS] * 2, tf.TensorSpec((), tf.int32)], autograph=False
    )
    def _probable(
        self, tokens: tf.Tensor, lengths: tf.Tensor, places: tf.Tensor, most: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        found = tf.math.top_k(tf.nn.softmax(self.logits(tokens, lengths, places) + self._never), most)
        return found.indices, found.values


def loaded(folder: Path, name: str) -> Masked:
    """A model that tells masked words.

    Args:
        folder: of the checkpoint.
        name: what people call it.

    Raises:
        BadInput: it has no head for them.
    """
    found = load(folder, 0)
    if not found.has_head:
        raise BadInput(
            f"{name!r} has no head for masked words; train one with selfsupervised.text.train "
            f"--pretrained {name}"
        )
    return found
