"""The two networks in training: one round of their game is a step."""

from collections.abc import Mapping

import keras
import tensorflow as tf

from jobs.gan.layers.averages import follow
from jobs.gan.layers.changes import changed
from jobs.gan.layers.objectives import OBJECTIVES
from jobs.gan.networks import build_discriminator, build_generator
from jobs.gan.recipes import recipe
from jobs.gan.spec import TrainGan
from jobs.training import Batch, Trainable, machine
from jobs.training.draws import fork, normal, philox_normal, philox_uniform

Shape = tuple[int, int, int]
Labels = list[tf.Tensor]  #: int32 (batch,) in it if the GAN is conditional, else nothing
Metrics = dict[str, tf.Tensor]


class Gan(Trainable):
    """A generator and a discriminator, each with its Adam. Subclasses play the game.

    Args:
        spec: the training's.
        shape: (height, width, channels) of the images.
        classes: of a conditional one, else 0.
        augment: whether the discriminator sees changed images.
    """

    def __init__(self, spec: TrainGan, shape: Shape, classes: int = 0, augment: bool = False) -> None:
        self.recipe = recipe(spec)
        names = ("d_loss", "g_loss", "d_real", "d_fake", *(("penalty",) if self.recipe.penalty else ()))
        super().__init__(names, name="gan")
        self.spec = spec
        self.augment = augment
        self.objective = OBJECTIVES[self.recipe.loss]
        self.precision = precision_of(spec)
        self.generator = build_generator(spec, shape, classes, self.precision, lean=True)
        #: What pictures are drawn with: the running average of the generator, or the generator itself.
        self.average = build_generator(spec, shape, classes) if spec.average else self.generator
        self.discriminator = build_discriminator(spec, shape, classes, self.precision, lean=True)
        self.generator_optimizer = self._adam()
        self.discriminator_optimizer = self._adam()
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The generator's, then the discriminator's."""
        return [self.generator_optimizer, self.discriminator_optimizer]

    def about(self) -> Mapping[str, str]:
        """See `Trainable.about`."""
        return {"precision": self.precision}

    def _adam(self) -> keras.optimizers.Adam:
        return keras.optimizers.Adam(self.recipe.learning_rate, self.recipe.beta_1, self.recipe.beta_2)

    def _labels(self, batch: Batch) -> Labels:
        # A conditional GAN draws the classes of the batch, so that they are as frequent as in the data.
        return [batch["labels"]] if self.spec.conditional else []

    def _draw(self, latents: tf.Tensor, labels: Labels) -> tf.Tensor:
        return self.generator([latents, *labels] if labels else latents, training=True)

    def _logits(self, images: tf.Tensor, labels: Labels) -> tf.Tensor:
        """Of images, with the labels of each part of them where the GAN is conditional."""
        inputs = [images, tf.concat(labels, axis=0)] if labels else images
        return self.discriminator(inputs, training=True)

    def _update_average(self, step: tf.Tensor) -> None:
        """Moves the running average by a little: by more at first, so that it forgets how it began."""
        if self.spec.average:
            follow(self.average, self.generator, self.spec.average, step)

    def _scored(self, losses: Metrics, real: tf.Tensor, fake: tf.Tensor) -> Metrics:
        """Losses, and what the discriminator makes of its batches of real and generated images."""
        scores = self.objective.scores
        return losses | {"d_real": tf.reduce_mean(scores(real)), "d_fake": tf.reduce_mean(scores(fake))}


class DenseGan(Gan):
    """The classic game, Algorithm 1 of the paper with k = 1 (https://arxiv.org/abs/1406.2661)."""

    def one_step(self, batch: Batch, step: tf.Tensor) -> Metrics:
        """One update of the discriminator, then one of the generator, on new latents."""
        real = as_floats(batch)
        labels = self._labels(batch)
        fake = self._draw(self._latents(real, 2 * step), labels)
        if self.augment:
            real, fake = self._changed(real, 4 * step), self._changed(fake, 4 * step + 1)
        with tf.GradientTape() as tape:
            logits = self._logits(tf.concat([real, fake], axis=0), labels * 2)  # (2 * batch, 1)
            on_real, on_fake = tf.split(logits, 2)
            d_loss = self.objective.discriminator(on_real, on_fake)
        weights = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(tape.gradient(d_loss, weights), weights)

        latents = self._latents(real, 2 * step + 1)
        weights = self.generator.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in weights])
            drawn = self._draw(latents, labels)
            logits = self._logits(self._changed(drawn, 4 * step + 2) if self.augment else drawn, labels)
            g_loss = self.objective.generator(logits)
        self.generator_optimizer.apply(tape.gradient(g_loss, weights), weights)
        self._update_average(step)
        return self._scored({"d_loss": d_loss, "g_loss": g_loss}, on_real, on_fake)

    def _latents(self, real: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        """Standard normal latents (batch, latent_dim), a function of the seed and the draw's number."""
        seed = tf.stack([tf.constant(self.spec.seed, tf.int64), draw])
        return normal((real.shape[0], self.spec.latent_dim), seed)

    def _changed(self, images: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        return changed(images, tf.stack([tf.constant(self.spec.seed + 1, tf.int64), draw]))


class ConvolutionalGan(Gan):
    """The game of all the other architectures: some updates of the discriminator, then one of the generator.

    The generator learns from the images that the discriminator has just seen, which saves drawing others.
    """

    def one_step(self, batch: Batch, step: tf.Tensor) -> Metrics:
        """One round."""
        seed = tf.stack([tf.constant(self.spec.seed, tf.int64), step])
        losses: Metrics = {}
        for number in range(self.recipe.critic_steps):
            part = self._part(batch, number)
            real, labels = as_floats(part), self._labels(part)
            last = number == self.recipe.critic_steps - 1
            latents = philox_normal((real.shape[0], self.spec.latent_dim), fork(seed, 16 * number))
            with tf.GradientTape(watch_accessed_variables=False) as drawing:
                if last:
                    drawing.watch([weight.value for weight in self.generator.trainable_variables])
                fake = self._draw(latents, labels)
            losses, logits = self._teach_discriminator(real, fake, labels, fork(seed, 16 * number + 1))
        g_loss = self._teach_generator(fake, labels, drawing, fork(seed, 1000))
        self._update_average(step)
        return self._scored(losses | {"g_loss": g_loss}, *logits)

    def _part(self, batch: Batch, number: int) -> Batch:
        """The rows of the batch that one update of the discriminator sees; all, if there are few in all."""
        size, rows = self.recipe.batch_size, next(iter(batch.values())).shape[0]
        if rows < size * self.recipe.critic_steps:
            return batch
        return {name: rows[number * size : (number + 1) * size] for name, rows in batch.items()}

    def _teach_discriminator(
        self, real: tf.Tensor, fake: tf.Tensor, labels: Labels, seed: tf.Tensor
    ) -> tuple[Metrics, tuple[tf.Tensor, tf.Tensor]]:
        """One update; the losses, and the logits of real and generated images (batch, 1)."""
        fake = tf.stop_gradient(fake)
        if self.augment:
            real, fake = changed(real, fork(seed, 0)), changed(fake, fork(seed, 1))
        weights = self.discriminator.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in weights])
            # Apart, so that batch statistics of the one tell nothing of the other.
            logits = self._logits(real, labels), self._logits(fake, labels)
            d_loss = loss = self.objective.discriminator(*logits)
            penalty: Metrics = {}
            if self.recipe.penalty:
                penalty["penalty"] = self._penalty(real, fake, labels, fork(seed, 2))
                loss += self.recipe.penalty * penalty["penalty"]
        self.discriminator_optimizer.apply(tape.gradient(loss, weights), weights)
        return {"d_loss": d_loss, **penalty}, logits

    def _penalty(self, real: tf.Tensor, fake: tf.Tensor, labels: Labels, seed: tf.Tensor) -> tf.Tensor:
        """How far the slope of the critic is from 1 between real and generated images.

        Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028, equation 3, without its weight.
        """
        share = philox_uniform((real.shape[0], 1, 1, 1), seed)
        between = real + share * (fake - real)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(between)
            logits = self._logits(between, labels)
        slopes = tape.gradient(logits, between)  # (batch, height, width, channels)
        # The root's own slope is infinite at 0.
        norms = tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=(1, 2, 3)) + 1e-12)
        return tf.reduce_mean(tf.square(norms - 1.0))

    def _teach_generator(
        self, fake: tf.Tensor, labels: Labels, drawing: tf.GradientTape, seed: tf.Tensor
    ) -> tf.Tensor:
        """One update from the images last drawn; its loss."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(fake)
            logits = self._logits(changed(fake, seed) if self.augment else fake, labels)
            g_loss = self.objective.generator(logits)
        weights = self.generator.trainable_variables
        gradients = drawing.gradient(fake, weights, output_gradients=tape.gradient(g_loss, fake))
        self.generator_optimizer.apply(gradients, weights)
        return g_loss


def build_gan(spec: TrainGan, shape: Shape, classes: int = 0, augment: bool = False) -> Gan:
    """The GAN of a spec, untrained, and the same in every process if the random seed is."""
    kind = DenseGan if spec.architecture == "mlp" else ConvolutionalGan
    return kind(spec, shape, classes, augment)


def precision_of(spec: TrainGan) -> str:
    """What the convolutions are calculated in: bfloat16 where it is fast, unless the spec says otherwise."""
    if spec.architecture == "mlp":
        return "float32"
    return machine.precision(spec.precision)


def as_floats(batch: Batch) -> tf.Tensor:
    """The batch's images, float32 (batch, height, width, channels) in [-1, 1]."""
    return tf.cast(batch["images"], tf.float32) / 127.5 - 1.0
