"""A classifier in training: one step of cross-entropy on a batch of texts of about the same length."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from jobs.pretrained.models import Loaded
from jobs.pretrained.tokens import Array
from jobs.training import Batch
from jobs.transformer.encoder.forward import logits_of
from jobs.transformer.encoder.lengths import batches_of, width_of
from jobs.transformer.spec import FineTune
from jobs.transformer.tuning.tuner import Tuner


class FineTuning(Tuner):
    """A pretrained encoder with a head, and its AdamW.

    Args:
        spec: the training's.
        loaded: the checkpoint.
        tokens: of all texts, one after the other, int32 (tokens,).
        pad: the token that fills short texts up.
        weights: of each class in the loss, float32 (classes,), 1 in the mean over all rows.
        steps: of the whole training.
        positions: tokens that the model has places for, where the padding of a batch ends at the latest.
        by_batch: whether the loss of a batch is divided by the sum of its own weights, so that a batch of
            one class does not notice them; as trainings by the first rules have it (`training.passes`).
    """

    def __init__(
        self,
        spec: FineTune,
        loaded: Loaded,
        tokens: Array,
        pad: int,
        weights: Array,
        steps: int,
        *,
        positions: int = 2**31 - 1,
        by_batch: bool = False,
    ) -> None:
        classifier = loaded.classifier
        super().__init__(
            ("loss", "accuracy"),
            spec,
            loaded.family,
            classifier,
            classifier.backbone,
            steps,
            name="finetuning",
        )
        self._tokens = tf.constant(np.append(tokens, np.int32(pad)))
        self._class_weights = tf.constant(weights)
        self._positions, self._by_batch = positions, by_batch

    def one_step(self, batch: Batch, step: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """One update of the weights.

        Args:
            batch: `starts` and `lengths` of the texts among the tokens, and `labels`, int32 (batch,) each.
            step: int64 (), the number of the step.
        """
        share = tf.gather(self._class_weights, batch["labels"])
        rows = tf.cast(tf.size(share), tf.float32)
        share /= tf.reduce_sum(share) if self._by_batch else rows  # (batch,)
        sums = self.updated({**batch, "share": share}, step)
        return {"loss": sums["loss"], "accuracy": sums["right"] / rows}

    def figures(self, part: Batch, seed: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """See `Tuner.figures`: the loss, and how many are `right`."""
        logits = self.logits(part["starts"], part["lengths"], seed)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(part["labels"], logits)
        hits = tf.argmax(logits, axis=1, output_type=tf.int32) == part["labels"]
        return {
            "loss": tf.reduce_sum(part["share"] * losses),
            "right": tf.reduce_sum(tf.cast(hits, tf.float32)),
        }

    def logits(self, starts: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """Logits of texts, float32 (batch, classes).

        Args:
            starts: of each text among the tokens, int32 (batch,).
            lengths: int32 (batch,).
            seed: int64 (2,), draws the dropout; None for none.
        """
        places = tf.range(tf.minimum(width_of(tf.reduce_max(lengths)), self._positions))[tf.newaxis, :]
        there = places < lengths[:, tf.newaxis]  # (batch, width)
        among = tf.where(there, starts[:, tf.newaxis] + places, tf.size(self._tokens) - 1)
        tokens = tf.gather(self._tokens, among)
        return logits_of(self.classifier, self.family, tokens, lengths, seed=seed, precision=self.precision)

    def predicted(self, starts: Array, lengths: Array, batch_size: int) -> Array:
        """Logits of texts without dropout, float32 (texts, classes)."""
        found: list[Array] = []
        order: list[Array] = []
        for rows in batches_of(lengths, batch_size):
            found.append(self._predict(tf.constant(starts[rows]), tf.constant(lengths[rows])).numpy())
            order.append(rows)
        logits: Array = np.concatenate(found)[np.argsort(np.concatenate(order), kind="stable")]
        return logits

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32)] * 2, autograph=False)
    def _predict(self, starts: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        return self.logits(starts, lengths, None)


def class_weights(kind: str, labels: Array, classes: int) -> Array:
    """The weight of each class in the loss, float32 (classes,): 1, or in inverse proportion to its rows."""
    if kind == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(labels, minlength=classes)
    weights: Array = (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)
    return weights
