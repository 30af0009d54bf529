"""Masked autoencoding with a small vision transformer (He et al. 2021, https://arxiv.org/abs/2111.06377)."""

import math
from typing import Any

import keras
import tensorflow as tf

from jobs.selfsupervised.methods.learner import Learner, pixels
from jobs.selfsupervised.methods.losses import masked_error
from jobs.selfsupervised.networks.augmentations import Seed, fork, uniform
from jobs.selfsupervised.networks.blocks import Blocks
from jobs.selfsupervised.networks.patches import Patches, Tokens, cut, joined, positions
from jobs.selfsupervised.networks.shapes import Array, Shape
from jobs.selfsupervised.spec import TrainSelfSupervised

DECODER_WIDTH = 64
DECODER_DEPTH = 2


class Masked(Learner):
    """The encoder sees a quarter of the patches; a lighter decoder has to draw the others.

    The embedding is the mean of the encoder's output over all patches, none of them hidden.
    """

    reconstructs = True

    def __init__(self, spec: TrainSelfSupervised, shape: Shape) -> None:
        super().__init__(spec, shape)
        width = self.recipe.embedding_dim
        self.patch = spec.patch or max(2, math.ceil(max(shape[:2]) / 8))
        rows, columns = math.ceil(shape[0] / self.patch), math.ceil(shape[1] / self.patch)
        count, size = rows * columns, self.patch * self.patch * shape[2]
        #: Patches that the encoder sees: at least one, and at least one is hidden.
        self.seen = min(max(1, round((1.0 - spec.mask_ratio) * count)), count - 1)
        self.tokens = Tokens(rows, columns, width, name="tokens")
        self.tokens.build((None, count, size))
        self.body = Blocks(rows, columns, width, spec.depth, name="body")
        self.body.build((None, count, width))
        self.decoder = Decoder(rows, columns, size, name="decoder")
        self.decoder.build((None, self.seen, width))
        images = keras.Input(shape, name="images")
        encoded = self.body(self.tokens(Patches(self.patch, name="patches")(images)))
        embedding = keras.layers.GlobalAveragePooling1D(name="embedding")(encoded)
        self.encoder = keras.Model(images, embedding, name="encoder")

    def losses(self, images: tf.Tensor, seed: Seed, training: bool) -> dict[str, tf.Tensor]:
        """Mean squared error of the hidden patches."""
        patches = cut(images, self.patch)  # (batch, patches, pixels)
        predicted, hidden = self._predicted(patches, seed)
        return {"loss": masked_error(patches, predicted, hidden)}

    def _predicted(self, patches: tf.Tensor, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
        """What the decoder draws for every patch, and which of them are hidden, (batch, patches)."""
        batch, count = patches.shape[:2]
        order = tf.argsort(uniform((batch, count), fork(seed, 0)), axis=1)  # (batch, patches), random
        ranks = tf.argsort(order, axis=1)  # where in that order each patch is
        shown = order[:, : self.seen]
        visible = tf.gather(self.tokens(patches), shown, axis=1, batch_dims=1)
        predicted = self.decoder(self.body(visible, shown), ranks)
        return predicted, tf.cast(ranks >= self.seen, tf.float32)

    def reconstruct(self, images: Array) -> dict[str, Array]:
        """Of images uint8 (count, height, width, channels): masked `inputs`, and `reconstructions`.

        Float32 in [0, 1]. Hidden patches are grey in the one, and drawn in the other.
        """
        both = self._in_batches(images, self._drawn)
        return {"inputs": both[:, 0], "reconstructions": both[:, 1]}

    @tf.function(autograph=False)
    def _drawn(self, images: tf.Tensor, seed: Seed) -> tf.Tensor:
        patches = cut(pixels(images), self.patch)
        predicted, hidden = self._predicted(patches, seed)
        hidden = hidden[:, :, tf.newaxis]
        inputs = patches * (1.0 - hidden) + 0.5 * hidden
        drawn = patches * (1.0 - hidden) + tf.clip_by_value(predicted, 0.0, 1.0) * hidden
        return tf.stack([joined(each, self.patch, self.shape) for each in (inputs, drawn)], axis=1)


class Decoder(keras.layers.Layer):
    """Tokens of seen patches (batch, seen, width) to all patches (batch, patches, pixels)."""

    def __init__(self, rows: int, columns: int, size: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.count = rows * columns
        self.places = positions(rows, columns, DECODER_WIDTH)
        self.narrow = keras.layers.Dense(DECODER_WIDTH, name="narrow")
        self.body = Blocks(rows, columns, DECODER_WIDTH, DECODER_DEPTH, name="body")
        self.draw = keras.layers.Dense(size, name="draw")

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Builds the parts and the token that stands for every hidden patch."""
        self.narrow.build(shape)
        self.body.build((None, self.count, DECODER_WIDTH))
        self.draw.build((None, self.count, DECODER_WIDTH))
        self.missing = self.add_weight(
            name="missing",
            shape=(1, 1, DECODER_WIDTH),
            initializer=keras.initializers.RandomNormal(0.0, 0.02),
        )
        self.built = True

    def call(self, encoded: tf.Tensor, ranks: tf.Tensor) -> tf.Tensor:
        """Puts every token to its place, and draws.

        Args:
            encoded: float32 (batch, seen, width).
            ranks: int32 (batch, patches), each patch's place among the tokens, the seen ones first.
        """
        tokens = self.narrow(encoded)  # (batch, seen, width)
        batch, seen = tokens.shape[:2]
        missing = tf.broadcast_to(self.missing.value, (batch, self.count - seen, DECODER_WIDTH))
        tokens = tf.gather(tf.concat([tokens, missing], axis=1), ranks, axis=1, batch_dims=1)
        return self.draw(self.body(tokens + self.places))
