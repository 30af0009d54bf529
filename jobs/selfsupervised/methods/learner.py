"""What all methods share: an encoder, one loss, one Adam, and the way back from a file."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.selfsupervised.networks.augmentations import Seed
from jobs.selfsupervised.networks.shapes import Array, Shape
from jobs.selfsupervised.recipes import recipe
from jobs.selfsupervised.spec import TrainSelfSupervised
from jobs.training import Batch, Start, Trainable
from jobs.training.rows import Selection

#: Rows in one call outside of training. Every call has this many, so that an embedding depends on its own
#: image alone, and not on how many others were asked for.
ROWS = 256
#: Share of the steps in which the learning rate rises, where it follows a schedule.
WARM_UP = 0.1


class Learner(Trainable):
    """A method: subclasses build `encoder` and their other parts, and write `losses`.

    Args:
        spec: the training's.
        shape: (height, width, channels) of the images.
        metric_names: what `losses` returns; `loss` first.
    """

    #: Whether XLA compiles the training: it makes dense layers faster, and convolutions slower.
    jit = False
    #: Whether there is a `reconstruct`.
    reconstructs = False
    #: The fewest images that the loss is defined for.
    fewest = 1

    encoder: keras.Model  #: from images (batch, height, width, channels) in [0, 1] to (batch, embedding_dim)

    def __init__(
        self, spec: TrainSelfSupervised, shape: Shape, metric_names: tuple[str, ...] = ("loss",)
    ) -> None:
        super().__init__(metric_names, name=spec.method)
        self.spec = spec
        self.recipe = recipe(spec)
        self.shape = shape

    def losses(self, images: tf.Tensor, seed: Seed, training: bool) -> dict[str, tf.Tensor]:
        """The loss and its parts, float32 () each, of images (batch, height, width, channels) in [0, 1].

        Args:
            images: float32, in [0, 1].
            seed: int64 (2,), the only source of random numbers.
            training: whether batch statistics are those of this batch.
        """
        raise NotImplementedError

    def prepare(self, steps: int) -> None:
        """Builds the optimizer for a training of so many steps."""
        rate = self._learning_rate(steps)
        self.optimizer_of_all = keras.optimizers.Adam(rate, beta_2=self.recipe.beta_2)
        self.optimizer_of_all.build(self.trainable_variables)

    def _learning_rate(self, steps: int) -> Any:
        """The step size: the same, or rising in a tenth of the steps and falling along a cosine to 0."""
        highest = self.recipe.learning_rate
        if not self.recipe.warms_up:
            return highest
        warm_up = max(1, int(WARM_UP * steps))
        return keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warm_up), warmup_target=highest, warmup_steps=warm_up
        )

    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The one there is."""
        return [self.optimizer_of_all]

    def one_step(self, batch: Batch, step: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """One update of all weights."""
        images = pixels(batch["images"])
        weights = self.trainable_variables
        with tf.GradientTape() as tape:
            metrics = self.losses(images, tf.stack([tf.constant(self.spec.seed, tf.int64), step]), True)
        self.optimizer_of_all.apply(tape.gradient(metrics["loss"], weights), weights)
        return metrics

    def embed(self, images: Array) -> Array:
        """Embeddings, float32 (count, embedding_dim), of images uint8 (count, height, width, channels)."""
        return self._in_batches(images, lambda batch, _: self._encoded(batch))

    def reconstruct(self, images: Array) -> dict[str, Array]:
        """What the model makes of images uint8 (count, height, width, channels), by what it is called.

        Float32 in [0, 1]: `reconstructions`, and `inputs` where the model sees something else.
        """
        raise NotImplementedError

    def validation_loss(self, images: Array | Selection, start: Start) -> float:
        """The loss on images uint8 (count, height, width, channels), by draws that are always the same.

        Args:
            images: all have the same part in it, but for those that fill the last batch up.
            start: by which rules; by the first ones, what a batch leaves over has no part in it.
        """
        passes = start.passes(len(images), min(self.recipe.batch_size, len(images)))
        batches = passes.filled(np.arange(len(images))).reshape(passes.steps, passes.batch_size)
        losses = [
            float(self._judged(tf.constant(images[rows]), tf.constant(number, tf.int64)))
            for number, rows in enumerate(batches)
        ]
        return float(np.mean(losses))

    @tf.function(autograph=False)
    def _judged(self, images: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        # Negative steps: no draw of the training is drawn again.
        seed = tf.stack([tf.constant(self.spec.seed, tf.int64), -1 - number])
        return self.losses(pixels(images), seed, training=False)["loss"]

    @tf.function(autograph=False)
    def _encoded(self, images: tf.Tensor) -> tf.Tensor:
        return self.encoder(pixels(images), training=False)

    def _in_batches(self, images: Array, function: Any) -> Array:
        parts = []
        for number, first in enumerate(range(0, len(images), ROWS)):
            part = images[first : first + ROWS]
            padded = np.zeros((ROWS, *images.shape[1:]), np.uint8)
            padded[: len(part)] = part
            seed = tf.constant([self.spec.seed, -1 - number], tf.int64)
            parts.append(np.asarray(function(tf.constant(padded), seed))[: len(part)])
        return np.concatenate(parts)


def pixels(images: tf.Tensor) -> tf.Tensor:
    """From uint8 to float32 in [0, 1]."""
    return tf.cast(images, tf.float32) / 255.0
