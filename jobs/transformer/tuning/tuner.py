"""A pretrained encoder with a head in training: gradients in parts, AdamW, warm-up and decay."""

import math
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import keras
import tensorflow as tf

from jobs.errors import BadInput
from jobs.pretrained.families import blocks_of
from jobs.training import Batch, Chunk, Trainable, machine
from jobs.training.rows import Block
from jobs.transformer.encoder.adamw import AdamW


class Settings(Protocol):
    """What a spec says of such a training."""

    @property
    def seed(self) -> int:
        """Draws the dropout."""

    @property
    def accumulate(self) -> int:
        """Parts that a batch is split into."""

    @property
    def learning_rate(self) -> float:
        """At its height."""

    @property
    def schedule(self) -> Literal["linear", "cosine", "constant"]:
        """How the learning rate falls after the warm-up."""

    @property
    def warmup(self) -> float:
        """Share of the steps in which it rises."""

    @property
    def weight_decay(self) -> float:
        """What weights lose in a step, as a share."""

    @property
    def clip_norm(self) -> float:
        """The largest norm of the gradients; 0 for any."""

    @property
    def frozen_layers(self) -> int:
        """The lowest layers that stay as they are, with the embeddings."""

    @property
    def precision(self) -> Literal["auto", "float32", "bfloat16"]:
        """What is multiplied in."""


class Tuner(Trainable):
    """An encoder with a head, and its AdamW.

    Args:
        metric_names: what `one_step` returns.
        settings: the spec of the training.
        family: `model_type` of the encoder.
        model: has all weights that are trained.
        backbone: the encoder in it.
        steps: of the whole training.
    """

    def __init__(
        self,
        metric_names: tuple[str, ...],
        settings: Settings,
        family: str,
        model: keras.Model,
        backbone: keras.Model,
        steps: int,
        **keywords: Any,
    ) -> None:
        super().__init__(metric_names, **keywords)
        self.settings = settings
        self.family = family
        self.precision = machine.precision(settings.precision)
        self.classifier = model
        freeze(family, backbone, settings.frozen_layers)
        self._steps = steps
        self._warmup = math.ceil(settings.warmup * steps)
        self._seed = settings.seed
        self.adamw = AdamW(
            settings.learning_rate, settings.weight_decay, clip_norm=settings.clip_norm or None
        )
        self.adamw.build(model.trainable_variables)

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

    def figures(self, part: Batch, seed: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """Of a part of a batch: `loss`, whose sum over the parts is that of the batch, and other sums.

        Args:
            part: the rows of the part.
            seed: int64 (2,), draws the dropout.
        """
        raise NotImplementedError

    def updated(self, batch: Batch, step: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """One update of the weights; the sums of `figures` over the parts of the batch, float32 () each."""
        weights, count = self.classifier.trainable_variables, self.settings.accumulate
        parts = {name: tf.split(rows, count) for name, rows in batch.items()}
        sums: dict[str, tf.Tensor] = {}
        gradients: list[Any] = []
        for number in range(count):
            seed = tf.stack([tf.constant(self._seed, tf.int64), step * count + number])
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([weight.value for weight in weights])
                found = self.figures({name: each[number] for name, each in parts.items()}, seed)
            gradients = _sums(gradients, tape.gradient(found["loss"], [weight.value for weight in weights]))
            sums = {name: sums.get(name, 0.0) + value for name, value in found.items()}
        self.adamw.update(gradients, self.share(step))
        return sums

    def share(self, step: tf.Tensor) -> tf.Tensor:
        """Of the learning rate in a step, float32 (): it rises over the warm-up, then falls as asked."""
        done = tf.cast(step, tf.float32)
        rising = (done + 1.0) / max(self._warmup, 1)
        left = (self._steps - done) / max(self._steps - self._warmup, 1)
        falling = {
            "linear": left,
            "cosine": 0.5 * (1.0 + tf.cos(math.pi * (1.0 - left))),
            "constant": tf.ones(()),
        }[self.settings.schedule]
        return tf.where(done < self._warmup, rising, falling)


def freeze(family: str, backbone: Any, layers: int) -> None:
    """Keeps the embeddings and so many of the lowest layers as they are; 0 freezes nothing.

    Raises:
        BadInput: the encoder has fewer layers.
    """
    if not layers:
        return
    blocks = blocks_of(family, backbone)
    if layers > len(blocks):
        raise BadInput(f"frozen_layers is {layers}, and the encoder has {len(blocks)}; freeze these at most")
    trained = [*blocks[layers:], getattr(backbone, "pooled_dense", None)]
    for layer in backbone.layers:
        layer.trainable = any(layer is each for each in trained)


def rows_of_a_step(batch_size: int, accumulate: int, count: int, *, as_before: bool = False) -> int:
    """Rows of an update: the batch size, or all there are, in a multiple of the parts they are cut into.

    Args:
        batch_size: rows that are wanted.
        accumulate: parts that a batch is cut into.
        count: rows to train on.
        as_before: by the first rules (`training.passes.RULES`) rows are left out for that, by the second
            ones some come twice.

    Raises:
        BadInput: there are fewer rows than parts.
    """
    rows = min(batch_size, count)
    if rows < accumulate:
        raise BadInput(
            f"accumulate is {accumulate}, and there are {count} rows to train on; choose {count} or less"
        )
    return rows - rows % accumulate if as_before else rows + -rows % accumulate


def _sums(gradients: list[Any], more: list[Any]) -> list[Any]:
    if not gradients:
        return more
    # A table's gradient has only the rows that the part has touched, which may be others in each part.
    pairs = zip(gradients, more, strict=True)
    return [tf.convert_to_tensor(one) + tf.convert_to_tensor(other) for one, other in pairs]
