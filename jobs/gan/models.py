"""The two networks and their game (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661)."""

from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from jobs.draws import normal
from jobs.gan.spec import TrainGan
from jobs.training import Batch, Trainable

if TYPE_CHECKING:
    from collections.abc import Mapping

Shape = tuple[int, int, int]


def build_generator(spec: TrainGan, shape: Shape) -> keras.Model:
    """From latents (batch, latent_dim) to images (batch, height, width, channels) in [-1, 1]."""
    latents = keras.Input((spec.latent_dim,), name="latents")
    hidden = latents
    for number, units in enumerate(spec.generator_units):
        hidden = keras.layers.Dense(units, activation=spec.activation, name=f"hidden_{number}")(hidden)
    pixels = keras.layers.Dense(shape[0] * shape[1] * shape[2], activation="tanh", name="pixels")(hidden)
    images = keras.layers.Reshape(shape, name="images")(pixels)
    return keras.Model(latents, images, name="generator")


def build_discriminator(spec: TrainGan, shape: Shape) -> keras.Model:
    """From images (batch, height, width, channels) in [-1, 1] to logits (batch, 1): large means real."""
    images = keras.Input(shape, name="images")
    hidden = keras.layers.Flatten(name="pixels")(images)
    for number, units in enumerate(spec.discriminator_units):
        hidden = keras.layers.Dense(units, activation=spec.activation, name=f"hidden_{number}")(hidden)
    logits = keras.layers.Dense(1, name="logits")(hidden)
    return keras.Model(images, logits, name="discriminator")


class Gan(Trainable):
    """A generator and a discriminator, each with its Adam, and one round of their game."""

    def __init__(self, spec: TrainGan, shape: Shape) -> None:
        super().__init__(("d_loss", "g_loss"), name="gan")
        self.spec = spec
        self.generator = build_generator(spec, shape)
        #: What pictures are drawn with: the running average of the generator, or the generator itself.
        self.average = build_generator(spec, shape) if spec.average else self.generator
        self.discriminator = build_discriminator(spec, shape)
        self.generator_optimizer = keras.optimizers.Adam(spec.learning_rate, spec.beta_1)
        self.discriminator_optimizer = keras.optimizers.Adam(spec.learning_rate, spec.beta_1)
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The generator's, then the discriminator's."""
        return [self.generator_optimizer, self.discriminator_optimizer]

    def one_step(self, batch: Batch, step: tf.Tensor) -> "Mapping[str, tf.Tensor]":
        """One update of the discriminator, then one of the generator (Algorithm 1 with k = 1)."""
        real = tf.cast(batch["images"], tf.float32) / 127.5 - 1.0  # (batch, height, width, channels)
        fake = self.generator(self._latents(real, 2 * step), training=True)
        with tf.GradientTape() as tape:
            logits = self.discriminator(tf.concat([real, fake], axis=0), training=True)  # (2 * batch, 1)
            on_real, on_fake = tf.split(logits, 2)
            d_loss = (cross_entropy(on_real, real=True) + cross_entropy(on_fake, real=False)) / 2.0
        weights = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(tape.gradient(d_loss, weights), weights)

        latents = self._latents(real, 2 * step + 1)
        weights = self.generator.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in weights])
            logits = self.discriminator(self.generator(latents, training=True), training=True)  # (batch, 1)
            # Not the minimax game's log(1 - D(G(z))), whose gradient vanishes while the
            # discriminator wins, but the non-saturating form of section 3 of the paper.
            g_loss = cross_entropy(logits, real=True)
        self.generator_optimizer.apply(tape.gradient(g_loss, weights), weights)
        if self.spec.average:
            for mean, weight in zip(self.average.weights, self.generator.weights, strict=True):
                mean.assign(mean + (1.0 - self._kept(step)) * (weight - mean))
        return {"d_loss": d_loss, "g_loss": g_loss}

    def _kept(self, step: tf.Tensor) -> tf.Tensor:
        """How much of the running average stays: little at first, so that it forgets how it began."""
        done = tf.cast(step, tf.float32)
        return tf.minimum(self.spec.average, (1.0 + done) / (10.0 + done))

    def _latents(self, real: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        """Standard normal latents (batch, latent_dim), a function of the seed and the draw's number."""
        seed = tf.stack([tf.constant(self.spec.seed, tf.int64), draw])
        return normal((real.shape[0], self.spec.latent_dim), seed)


def cross_entropy(logits: tf.Tensor, real: bool) -> tf.Tensor:
    """Binary cross-entropy, mean over the batch: -log D for real, -log(1 - D) else, D = sigmoid(logits)."""
    return tf.reduce_mean(tf.nn.softplus(-logits if real else logits))
