"""A classifier in training: one step of cross-entropy on a batch of texts of about the same length."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.errors import BadInput
from jobs.pretrained.families import blocks_of
from jobs.pretrained.models import Loaded
from jobs.pretrained.tokens import Array
from jobs.training import Batch, Chunk, Trainable, machine
from jobs.training.rows import Block
from jobs.transformer.encoder.adamw import AdamW
from jobs.transformer.encoder.forward import logits_of
from jobs.transformer.encoder.lengths import batches_of, width_of
from jobs.transformer.spec import FineTune


class FineTuning(Trainable):
    """A pretrained encoder with a head, and its AdamW.

    Args:
        spec: the training's.
        loaded: the checkpoint.
        tokens: of all texts, one after the other, int32 (tokens,).
        pad: the token that fills short texts up.
        weights: of each class in the loss, float32 (classes,), 1 in the mean over all rows.
        steps: of the whole training.
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
        by_batch: bool = False,
    ) -> None:
        super().__init__(("loss", "accuracy"), name="finetuning")
        self.spec = spec
        self.family = loaded.family
        self.precision = machine.precision(spec.precision)
        self.classifier = loaded.classifier
        freeze(loaded.family, self.classifier, spec.frozen_layers)
        self._tokens = tf.constant(np.append(tokens, np.int32(pad)))
        self._pad = pad
        self._class_weights = tf.constant(weights)
        self._by_batch = by_batch
        self._steps = steps
        self._warmup = math.ceil(spec.warmup * steps)
        self._seed = spec.seed
        self.adamw = AdamW(spec.learning_rate, spec.weight_decay, clip_norm=spec.clip_norm or None)
        self.adamw.build(self.classifier.trainable_variables)

    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The one there is."""
        return [self.adamw]

    def about(self) -> Mapping[str, str]:
        """See `Trainable.about`."""
        return {"precision": self.precision}

    def train_step(self, chunk: Chunk, block: Block | None = None) -> dict[str, tf.Tensor]:
        """Does one step, however long the chunk: it takes so long that a loop in the graph saves nothing."""
        order, first, _ = chunk
        return self.entered(self.stepped(order, first, self.sums.value, block), first + 1)

    def one_step(self, batch: Batch, step: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """One update of the weights.

        Args:
            batch: `starts` and `lengths` of the texts among the tokens, and `labels`, int32 (batch,) each.
            step: int64 (), the number of the step.
        """
        weights = self.classifier.trainable_variables
        share = tf.gather(self._class_weights, batch["labels"])
        rows = tf.cast(tf.size(share), tf.float32)
        share /= tf.reduce_sum(share) if self._by_batch else rows  # (batch,)
        parts = [tf.split(each, self.spec.accumulate) for each in (batch["starts"], batch["lengths"])]
        labels, shares = (tf.split(each, self.spec.accumulate) for each in (batch["labels"], share))
        loss, right = tf.constant(0.0), tf.constant(0.0)
        gradients: list[Any] = []
        for number, (starts, lengths) in enumerate(zip(*parts, strict=True)):
            seed = tf.stack([tf.constant(self._seed, tf.int64), step * self.spec.accumulate + number])
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([weight.value for weight in weights])
                logits = self.logits(starts, lengths, seed)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels[number], logits)
                part = tf.reduce_sum(shares[number] * losses)
            found = tape.gradient(part, [weight.value for weight in weights])
            gradients = _sums(gradients, found)
            loss += part
            hits = tf.argmax(logits, axis=1, output_type=tf.int32) == labels[number]
            right += tf.reduce_sum(tf.cast(hits, tf.float32))
        self.adamw.update(gradients, self.share(step))
        return {"loss": loss, "accuracy": right / rows}

    def share(self, step: tf.Tensor) -> tf.Tensor:
        """Of the learning rate in a step, float32 (): it rises over the warm-up, then falls as asked."""
        done = tf.cast(step, tf.float32)
        rising = (done + 1.0) / max(self._warmup, 1)
        left = (self._steps - done) / max(self._steps - self._warmup, 1)
        falling = {
            "linear": left,
            "cosine": 0.5 * (1.0 + tf.cos(math.pi * (1.0 - left))),
            "constant": tf.ones(()),
        }[self.spec.schedule]
        return tf.where(done < self._warmup, rising, falling)

    def logits(self, starts: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """Logits of texts, float32 (batch, classes).

        Args:
            starts: of each text among the tokens, int32 (batch,).
            lengths: int32 (batch,).
            seed: int64 (2,), draws the dropout; None for none.
        """
        places = tf.range(width_of(tf.reduce_max(lengths)))[tf.newaxis, :]
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


def freeze(family: str, classifier: Any, layers: int) -> None:
    """Keeps the embeddings and so many of the lowest layers as they are; 0 freezes nothing.

    Raises:
        BadInput: the encoder has fewer layers.
    """
    if not layers:
        return
    blocks = blocks_of(family, classifier.backbone)
    if layers > len(blocks):
        raise BadInput(f"frozen_layers is {layers}, and the encoder has {len(blocks)}; freeze these at most")
    trained = [*blocks[layers:], getattr(classifier.backbone, "pooled_dense", None)]
    for layer in classifier.backbone.layers:
        layer.trainable = any(layer is each for each in trained)


def _sums(gradients: list[Any], more: list[Any]) -> list[Any]:
    if not gradients:
        return more
    # A table's gradient has only the rows that the part has touched, which may be others in each part.
    pairs = zip(gradients, more, strict=True)
    return [tf.convert_to_tensor(one) + tf.convert_to_tensor(other) for one, other in pairs]
