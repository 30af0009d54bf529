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


def build_generator(spec: TrainGan, shape: Shape, classes: int = 0) -> keras.Model:
    """From latents (batch, latent_dim) to images (batch, height, width, channels) in [-1, 1].

    A conditional one takes latents and labels, int32 (batch,); a vector for each class is learnt, and joins
    the latents (Mirza and Osindero 2014, https://arxiv.org/abs/1411.1784, figure 1).
    """
    latents = keras.Input((spec.latent_dim,), name="latents")
    inputs, hidden = latents, latents
    if spec.conditional:
        labels = keras.Input((), dtype="int32", name="labels")
        vectors = _vector_of(labels, classes, spec.latent_dim)  # (batch, latent_dim)
        inputs, hidden = [latents, labels], keras.layers.Concatenate(name="both")([latents, vectors])
    for number, units in enumerate(spec.generator_units):
        hidden = keras.layers.Dense(units, activation=spec.activation, name=f"hidden_{number}")(hidden)
    pixels = keras.layers.Dense(shape[0] * shape[1] * shape[2], activation="tanh", name="pixels")(hidden)
    images = keras.layers.Reshape(shape, name="images")(pixels)
    return keras.Model(inputs, images, name="generator")


def build_discriminator(spec: TrainGan, shape: Shape, classes: int = 0) -> keras.Model:
    """From images (batch, height, width, channels) in [-1, 1] to logits (batch, 1): large means real.

    A conditional one takes images and labels, int32 (batch,), and adds the inner product of the class's
    vector and its last hidden layer (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637, equation 3).
    """
    images = keras.Input(shape, name="images")
    hidden = keras.layers.Flatten(name="pixels")(images)
    for number, units in enumerate(spec.discriminator_units):
        hidden = keras.layers.Dense(units, activation=spec.activation, name=f"hidden_{number}")(hidden)
    logits = keras.layers.Dense(1, name="logits")(hidden)
    if not spec.conditional:
        return keras.Model(images, logits, name="discriminator")
    labels = keras.Input((), dtype="int32", name="labels")
    vectors = _vector_of(labels, classes, spec.discriminator_units[-1])  # (batch, units)
    projection = keras.layers.Dot(axes=1, name="projection")([hidden, vectors])  # (batch, 1)
    return keras.Model(
        [images, labels], keras.layers.Add(name="sum")([logits, projection]), name="discriminator"
    )


def _vector_of(labels: keras.KerasTensor, classes: int, length: int) -> keras.KerasTensor:
    """What is learnt for each class (batch, length).

    A product with one-hot rows rather than a lookup, whose gradient is sparse and slower under XLA.
    """
    one_hot = keras.ops.one_hot(labels, classes)  # (batch, classes)
    return keras.layers.Dense(length, use_bias=False, name="class_vectors")(one_hot)


class Gan(Trainable):
    """A generator and a discriminator, each with its Adam, and one round of their game."""

    def __init__(self, spec: TrainGan, shape: Shape, classes: int = 0) -> None:
        super().__init__(("d_loss", "g_loss"), name="gan")
        self.spec = spec
        self.generator = build_generator(spec, shape, classes)
        #: What pictures are drawn with: the running average of the generator, or the generator itself.
        self.average = build_generator(spec, shape, classes) if spec.average else self.generator
        self.discriminator = build_discriminator(spec, shape, classes)
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
        # A conditional GAN draws the classes of the batch, so that they are as frequent as in the data.
        labels = [batch["labels"]] if self.spec.conditional else []
        fake = self._draw(self._latents(real, 2 * step), labels)
        with tf.GradientTape() as tape:
            logits = self._logits(tf.concat([real, fake], axis=0), labels * 2)  # (2 * batch, 1)
            on_real, on_fake = tf.split(logits, 2)
            d_loss = (cross_entropy(on_real, real=True) + cross_entropy(on_fake, real=False)) / 2.0
        weights = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(tape.gradient(d_loss, weights), weights)

        latents = self._latents(real, 2 * step + 1)
        weights = self.generator.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in weights])
            logits = self._logits(self._draw(latents, labels), labels)  # (batch, 1)
            # Not the minimax game's log(1 - D(G(z))), whose gradient vanishes while the
            # discriminator wins, but the non-saturating form of section 3 of the paper.
            g_loss = cross_entropy(logits, real=True)
        self.generator_optimizer.apply(tape.gradient(g_loss, weights), weights)
        if self.spec.average:
            for mean, weight in zip(self.average.weights, self.generator.weights, strict=True):
                mean.assign(mean + (1.0 - self._kept(step)) * (weight - mean))
        return {"d_loss": d_loss, "g_loss": g_loss}

    def _draw(self, latents: tf.Tensor, labels: list[tf.Tensor]) -> tf.Tensor:
        return self.generator([latents, *labels] if labels else latents, training=True)

    def _logits(self, images: tf.Tensor, labels: list[tf.Tensor]) -> tf.Tensor:
        """Of images, with the labels of each part of them where the GAN is conditional."""
        inputs = [images, tf.concat(labels, axis=0)] if labels else images
        return self.discriminator(inputs, training=True)

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
