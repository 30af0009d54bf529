"""A model that finds answers in training: one step of cross-entropy on windows of about the same length."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from jobs.pretrained.spans import LoadedSpans
from jobs.pretrained.tokens import Array
from jobs.training import Batch
from jobs.transformer.answering.documents.windows import Rows
from jobs.transformer.encoder.forward import span_logits_of
from jobs.transformer.encoder.lengths import batches_of, width_of
from jobs.transformer.tuning.tuner import Settings, Tuner


class SpanTuning(Tuner):
    """A pretrained encoder with a head for answers, and its AdamW.

    Args:
        settings: the spec of the training.
        loaded: the checkpoint.
        rows: to train on.
        steps: of the whole training.
    """

    def __init__(self, settings: Settings, loaded: LoadedSpans, rows: Rows, steps: int) -> None:
        super().__init__(
            ("loss", "exact"), settings, loaded.family, loaded.model, loaded.backbone, steps, name="answering"
        )
        self._loaded = loaded
        self._tokens = tf.constant(rows.tokens)
        self._special, self._most = rows.special, rows.most

    def one_step(self, batch: Batch, step: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """One update of the weights.

        Args:
            batch: columns of `data_of`, int32 (batch,) each.
            step: int64 (), the number of the step.
        """
        count = tf.cast(tf.size(batch["begin"]), tf.float32)
        sums = self.updated(batch, step)
        return {"loss": sums["loss"], "exact": sums["right"] / count}

    def figures(self, part: Batch, seed: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """The mean of both cross-entropies (section 4.2 of Devlin et al. 2018), and how many are `right`.

        Tokens of the padding have no part in the softmax.
        """
        question = part["question"][:, tf.newaxis], part["question_length"][:, tf.newaxis]
        window = part["window"][:, tf.newaxis], part["window_length"][:, tf.newaxis]
        firsts = self._special.before + part["question_length"] + self._special.between
        lengths = firsts + part["window_length"] + self._special.after
        place = tf.range(tf.minimum(width_of(tf.reduce_max(lengths)), self._most))[tf.newaxis, :]
        tokens = tf.gather(self._tokens, self._special.places(tf.where, place, question, window))
        logits = self._logits(tokens, lengths, firsts, seed)
        there = (place < lengths[:, tf.newaxis])[:, :, tf.newaxis]
        logits = tf.transpose(tf.where(there, logits, -1e9), (2, 0, 1))  # (2, batch, width)
        targets = tf.stack([part["begin"], part["end"]])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        hits = tf.reduce_all(tf.argmax(logits, axis=2, output_type=tf.int32) == targets, axis=0)
        return {
            "loss": tf.reduce_sum(losses) / (2.0 * self._batch_size),
            "right": tf.reduce_sum(tf.cast(hits, tf.float32)),
        }

    def predicted(self, rows: Rows, batch_size: int) -> list[Array]:
        """Logits of rows without dropout, float32 (tokens, 2) for each."""
        found: list[Array] = [np.zeros((0, 2), np.float32)] * len(rows)
        for chosen in batches_of(rows.lengths, batch_size):
            tokens, lengths, firsts = rows.batch(chosen)
            outputs = self._predict(tf.constant(tokens), tf.constant(lengths), tf.constant(firsts)).numpy()
            for row, output, length in zip(chosen, outputs, lengths, strict=True):
                found[row] = output[:length]
        return found

    @tf.function(
        input_signature=[tf.TensorSpec((None, None), tf.int32), *[tf.TensorSpec((None,), tf.int32)] * 2],
        autograph=False,
    )
    def _predict(self, tokens: tf.Tensor, lengths: tf.Tensor, firsts: tf.Tensor) -> tf.Tensor:
        return self._logits(tokens, lengths, firsts, None)

    def _logits(
        self, tokens: tf.Tensor, lengths: tf.Tensor, firsts: tf.Tensor, seed: tf.Tensor | None
    ) -> tf.Tensor:
        return span_logits_of(
            self._loaded.backbone,
            self._loaded.head,
            self.family,
            tokens,
            lengths,
            firsts,
            rate=self._loaded.rate,
            seed=seed,
            precision=self.precision,
        )


def data_of(rows: Rows, begins: Array, ends: Array) -> dict[str, Array]:
    """What a training takes: the columns of its rows and their targets, int32 (rows,) each."""
    return {
        "question": rows.question,
        "question_length": rows.question_length,
        "window": rows.window,
        "window_length": rows.window_length,
        "begin": begins.astype(np.int32),
        "end": ends.astype(np.int32),
    }


def loss_of(logits: list[Array], begins: Array, ends: Array) -> float:
    """The mean of both cross-entropies over all rows, in nats."""
    losses = []
    for values, *targets in zip(logits, begins, ends, strict=True):
        wide = values.astype(np.float64)
        highest = wide.max(axis=0)
        normalisers = highest + np.log(np.exp(wide - highest).sum(axis=0))  # (2,)
        losses.append(float((normalisers - wide[targets, [0, 1]]).mean()))
    return float(np.mean(losses))
