"""An encoder that learns to tell hidden words: one step on a batch of rows that are full of text."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import tensorflow as tf

from jobs.pretrained.masked import Masked
from jobs.selfsupervised.text.asking import Asked
from jobs.selfsupervised.text.masking import Words, choose, hide
from jobs.selfsupervised.text.spec import TrainText
from jobs.training import Batch, Chunk, Trainable
from jobs.training.rows import Block
from jobs.transformer.encoder.adamw import AdamW
from jobs.transformer.encoder.muon import Muon

#: Share of the steps in which a fresh head on a trained encoder learns alone.
HEAD_ALONE = 0.05


@dataclass(frozen=True)
class Ends:
    """The tokens that a row begins and ends with."""

    first: int
    last: int


class MaskedLanguage(Trainable):
    """An encoder with a head for masked words, and its optimizers.

    Args:
        spec: the training's.
        model: with its weights.
        words: of the vocabulary.
        ends: of a row.
        steps: of the whole training.
    """

    def __init__(self, spec: TrainText, model: Masked, words: Words, ends: Ends, steps: int) -> None:
        super().__init__(("loss", "accuracy"), name="masked_language")
        self.backbone, self.head = model.backbone, model.head
        self.masked, self.words, self.ends = model, words, ends
        #: Computes with the weights as they are.
        self.asked = Asked(model, spec.precision, words.hidden_never)
        self.precision = self.asked.precision
        self._whole_words, self._share_hidden = spec.whole_words, spec.masked
        self._seed, self._steps = spec.seed, steps
        self._warmup = math.ceil(spec.warmup * steps)
        alone = spec.pretrained is not None and not model.has_head
        self._alone = math.ceil(HEAD_ALONE * steps) if alone else 0
        clip = spec.clip_norm or None
        made = Muon if spec.optimizer == "muon" else AdamW
        self._of_encoder = made(spec.rate, spec.weight_decay, clip_norm=clip)
        self._of_head = AdamW(spec.rate, spec.weight_decay, clip_norm=clip)
        self._of_encoder.build(model.encoder_variables())
        self._of_head.build(model.head.trainable_variables)

    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The encoder's, and the head's."""
        return [self._of_encoder, self._of_head]

    def about(self) -> Mapping[str, str]:
        """See `Trainable.about`."""
        return {"precision": self.precision}

    def train_step(self, chunk: Chunk, block: Block | None = None) -> dict[str, tf.Tensor]:
        """Does one step, however long the chunk: it takes so long that a loop in the graph saves nothing."""
        order, first, _ = chunk
        return self.entered(self.stepped(order, first, self.sums.value, block), first + 1)

    def one_step(self, batch: Batch, step: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """One update of the weights by the cross-entropy of the hidden tokens.

        Args:
            batch: `tokens`, uint16 or uint32 (batch, length), without the ends of a row.
            step: int64 (), the number of the step.
        """
        seed = tf.stack([tf.constant(self._seed, tf.int64), step])
        tokens = self._with_ends(tf.cast(batch["tokens"], tf.int32))
        count = max(1, round(self._share_hidden * int(tokens.shape[0]) * int(tokens.shape[1])))
        places = choose(tokens, count, self.words, self._whole_words, seed)
        truth = tf.gather(tf.reshape(tokens, (-1,)), places)
        given = hide(tokens, places, self.words, seed)
        lengths = tf.fill((int(tokens.shape[0]),), int(tokens.shape[1]))
        encoder, head = self.masked.encoder_variables(), self.head.trainable_variables
        values = [variable.value for variable in (*encoder, *head)]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            logits = self.asked.logits(given, lengths, places, seed)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits))
        gradients = [tf.convert_to_tensor(each) for each in tape.gradient(loss, values)]
        share = self._share(step)
        self._of_encoder.update(gradients[: len(encoder)], tf.where(step < self._alone, 0.0, share))
        self._of_head.update(gradients[len(encoder) :], share)
        right = tf.argmax(logits, axis=1, output_type=tf.int32) == truth
        return {"loss": loss, "accuracy": tf.reduce_mean(tf.cast(right, tf.float32))}

    def _with_ends(self, tokens: tf.Tensor) -> tf.Tensor:
        rows = int(tokens.shape[0])
        first, last = tf.fill((rows, 1), self.ends.first), tf.fill((rows, 1), self.ends.last)
        return tf.concat([first, tokens, last], 1)

    def _share(self, step: tf.Tensor) -> tf.Tensor:
        """Of the learning rate: one cycle (Smith and Topin, 2019), up in the warm-up, then down to zero."""
        done = tf.cast(step, tf.float32)
        rising = (done + 1.0) / max(self._warmup, 1)
        past = (done - self._warmup) / max(self._steps - self._warmup, 1)
        return tf.where(done < self._warmup, rising, 0.5 * (1.0 + tf.cos(math.pi * past)))
