"""Autoencoders: an image through a narrow code and back (Hinton and Salakhutdinov 2006)."""

import keras
import tensorflow as tf

from jobs.selfsupervised.methods.learner import Learner, pixels
from jobs.selfsupervised.methods.losses import cross_entropy, divergence
from jobs.selfsupervised.networks.augmentations import Seed, fork, normal
from jobs.selfsupervised.networks.convolutions import build_decoder, build_encoder
from jobs.selfsupervised.networks.shapes import Array, Shape
from jobs.selfsupervised.spec import TrainSelfSupervised


class Autoencoder(Learner):
    """Encoder, code, decoder; binary cross-entropy of the pixels.

    Denoising (Vincent et al. 2008, https://doi.org/10.1145/1390156.1390294): the encoder sees the image with
    normal noise of deviation `denoise`, cut to [0, 1], and the loss is taken against the clean one.

    Variational (Kingma and Welling 2013, https://arxiv.org/abs/1312.6114; beta: Higgins et al. 2017): the
    code is `mean + exp(log_variance / 2) * noise`, and the loss `cross_entropy + beta * divergence / pixels`:
    the negative of the paper's bound, over the number of pixels.
    """

    reconstructs = True

    def __init__(self, spec: TrainSelfSupervised, shape: Shape) -> None:
        names = ("loss", "cross_entropy", "divergence") if spec.variational else ("loss",)
        super().__init__(spec, shape, names)
        self.jit = spec.network == "dense"
        code = self.recipe.embedding_dim
        outputs = 2 * code if spec.variational else code
        if spec.network == "dense":
            #: From images to codes, or to means and log variances of codes.
            self.network = dense_encoder(spec, shape, outputs)
            self.decoder = dense_decoder(spec, shape, code)
        else:
            self.network = build_encoder(shape, spec.filters, outputs, normalise=False)
            self.decoder = build_decoder(shape, spec.filters, code)
        images = self.network.input
        self.encoder = keras.Model(images, self.network.output[:, :code], name="means")

    def losses(self, images: tf.Tensor, seed: Seed, training: bool) -> dict[str, tf.Tensor]:
        """Cross-entropy, and with a variational code its divergence."""
        codes = self.network(self._with_noise(images, seed), training=training)
        if not self.spec.variational:
            return {"loss": cross_entropy(images, self.decoder(codes, training=training))}
        mean, log_variance = tf.split(codes, 2, axis=1)  # (batch, code) each
        drawn = mean + tf.exp(0.5 * log_variance) * normal(tuple(mean.shape), fork(seed, 1))
        reconstruction = cross_entropy(images, self.decoder(drawn, training=training))
        distance = divergence(mean, log_variance)
        size = self.shape[0] * self.shape[1] * self.shape[2]
        loss = reconstruction + self.spec.beta * distance / size
        return {"loss": loss, "cross_entropy": reconstruction, "divergence": distance}

    def reconstruct(self, images: Array) -> dict[str, Array]:
        """`reconstructions` of images uint8 (count, height, width, channels), float32 in [0, 1].

        A denoising one shows its noisy `inputs` as well.
        """
        found = {}
        if self.spec.denoise:
            found["inputs"] = self._in_batches(images, self._noisy)
        found["reconstructions"] = self._in_batches(images, self._rebuilt)
        return found

    @tf.function(autograph=False)
    def _noisy(self, images: tf.Tensor, seed: Seed) -> tf.Tensor:
        return self._with_noise(pixels(images), seed)

    def _with_noise(self, images: tf.Tensor, seed: Seed) -> tf.Tensor:
        if not self.spec.denoise:
            return images
        noise = normal(tuple(images.shape), fork(seed, 0))
        return tf.clip_by_value(images + self.spec.denoise * noise, 0.0, 1.0)

    @tf.function(autograph=False)
    def _rebuilt(self, images: tf.Tensor, seed: Seed) -> tf.Tensor:
        noisy = self._with_noise(pixels(images), seed)
        return tf.sigmoid(self.decoder(self.encoder(noisy, training=False), training=False))


def dense_encoder(spec: TrainSelfSupervised, shape: Shape, outputs: int) -> keras.Model:
    """From images (batch, height, width, channels) in [0, 1] to (batch, outputs).

    The code's activation is the classic's, a rectifier; a variational code needs both signs.
    """
    images = keras.Input(shape, name="images")
    hidden = keras.layers.Flatten(name="pixels")(images)
    for number, units in enumerate(spec.units):
        hidden = keras.layers.Dense(units, activation="relu", name=f"hidden_{number}")(hidden)
    activation = None if spec.variational else "relu"
    codes = keras.layers.Dense(outputs, activation=activation, name="code")(hidden)
    return keras.Model(images, codes, name="encoder")


def dense_decoder(spec: TrainSelfSupervised, shape: Shape, code: int) -> keras.Model:
    """From codes (batch, code) to logits of pixels (batch, height, width, channels)."""
    codes = keras.Input((code,), name="codes")
    hidden = codes
    for number, units in enumerate(reversed(spec.units)):
        hidden = keras.layers.Dense(units, activation="relu", name=f"hidden_{number}")(hidden)
    flat = keras.layers.Dense(shape[0] * shape[1] * shape[2], name="pixels")(hidden)
    return keras.Model(codes, keras.layers.Reshape(shape, name="logits")(flat), name="decoder")
