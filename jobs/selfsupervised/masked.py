"""Masked autoencoding with a small vision transformer (He et al. 2021, https://arxiv.org/abs/2111.06377)."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.selfsupervised.augmentations import Seed, fork, uniform
from jobs.selfsupervised.learner import Array, Learner, Shape, pixels
from jobs.selfsupervised.losses import masked_error
from jobs.selfsupervised.spec import TrainSelfSupervised

WIDTH = 128
DECODER_WIDTH = 64
DECODER_DEPTH = 2
HEAD = 32  #: numbers a head of attention compares


class Masked(Learner):
    """The encoder sees a quarter of the patches; a lighter decoder has to draw the others.

    The embedding is the mean of the encoder's output over all patches, none of them hidden.
    """

    reconstructs = True

    def __init__(self, spec: TrainSelfSupervised, shape: Shape) -> None:
        super().__init__(spec, shape)
        width = spec.embedding_dim or WIDTH
        self.patch = spec.patch or max(2, math.ceil(max(shape[:2]) / 8))
        self.rows, self.columns = math.ceil(shape[0] / self.patch), math.ceil(shape[1] / self.patch)
        count, size = self.rows * self.columns, self.patch * self.patch * shape[2]
        #: Patches that the encoder sees: at least one, and at least one is hidden.
        self.seen = min(max(1, round((1.0 - spec.mask_ratio) * count)), count - 1)
        self.tokens = Tokens(self.rows, self.columns, width, name="tokens")
        self.tokens.build((None, count, size))
        self.body = build_blocks(width, spec.depth, "body")
        self.decoder = Decoder(self.rows, self.columns, size, name="decoder")
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
        places = tf.argsort(order, axis=1)  # where in that order each patch is
        visible = tf.gather(self.tokens(patches), order[:, : self.seen], axis=1, batch_dims=1)
        predicted = self.decoder(self.body(visible), places)
        return predicted, tf.cast(places >= self.seen, tf.float32)

    def reconstruct(self, images: Array) -> dict[str, Array]:
        """Of images uint8 (count, height, width, channels): masked `inputs`, and `reconstructions`.

        Float32 in [0, 1]. Hidden patches are grey in the one, and drawn in the other.
        """
        both = self._in_batches(images, self._drawn)
        return {"inputs": both[:, 0], "reconstructions": both[:, 1]}

    @tf.function
    def _drawn(self, images: tf.Tensor, seed: Seed) -> tf.Tensor:
        patches = cut(pixels(images), self.patch)
        predicted, hidden = self._predicted(patches, seed)
        hidden = hidden[:, :, tf.newaxis]
        inputs = patches * (1.0 - hidden) + 0.5 * hidden
        drawn = patches * (1.0 - hidden) + tf.clip_by_value(predicted, 0.0, 1.0) * hidden
        return tf.stack([self._joined(inputs), self._joined(drawn)], axis=1)

    def _joined(self, patches: tf.Tensor) -> tf.Tensor:
        """The images of patches (batch, patches, pixels), without what was added at their edges."""
        side, (height, width, channels) = self.patch, self.shape
        images = tf.reshape(patches, (-1, self.rows, self.columns, side, side, channels))
        images = tf.transpose(images, (0, 1, 3, 2, 4, 5))
        images = tf.reshape(images, (-1, self.rows * side, self.columns * side, channels))
        return images[:, :height, :width]


def cut(images: tf.Tensor, side: int) -> tf.Tensor:
    """Patches (batch, patches, side * side * channels) of images; black is added at the edges."""
    height, width, channels = images.shape[1:]
    rows, columns = math.ceil(height / side), math.ceil(width / side)
    images = tf.pad(images, ((0, 0), (0, rows * side - height), (0, columns * side - width), (0, 0)))
    patches = tf.reshape(images, (-1, rows, side, columns, side, channels))
    patches = tf.transpose(patches, (0, 1, 3, 2, 4, 5))
    return tf.reshape(patches, (-1, rows * columns, side * side * channels))


def positions(rows: int, columns: int, width: int) -> Array:
    """Sines and cosines of the patches' places, float32 (rows * columns, width), half of each axis."""
    quarter = math.ceil(width / 4)
    frequencies = 1.0 / 10_000.0 ** (np.arange(quarter) / quarter)
    vertical, horizontal = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    angles = [place.reshape(-1, 1) * frequencies for place in (vertical, horizontal)]
    waves = np.concatenate([wave(angle) for angle in angles for wave in (np.sin, np.cos)], axis=1)
    return waves[:, :width].astype(np.float32)


class Patches(keras.layers.Layer):
    """Cuts images into patches, as part of a model."""

    def __init__(self, side: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.side = side

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Patches (batch, patches, side * side * channels)."""
        return cut(images, self.side)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As `call` gives them."""
        _, height, width, channels = shape
        count = math.ceil((height or 0) / self.side) * math.ceil((width or 0) / self.side)
        return (shape[0], count, self.side * self.side * (channels or 0))


class Tokens(keras.layers.Layer):
    """Patches (batch, patches, pixels) to tokens (batch, patches, width) that know their place."""

    def __init__(self, rows: int, columns: int, width: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.project = keras.layers.Dense(width, name="project")
        self.places = positions(rows, columns, width)

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Builds the projection."""
        self.project.build(shape)
        self.built = True

    def call(self, patches: tf.Tensor) -> tf.Tensor:
        """Projects and adds the places."""
        return self.project(patches) + self.places


class Decoder(keras.layers.Layer):
    """Tokens of seen patches (batch, seen, width) to all patches (batch, patches, pixels)."""

    def __init__(self, rows: int, columns: int, size: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.count = rows * columns
        self.places = positions(rows, columns, DECODER_WIDTH)
        self.narrow = keras.layers.Dense(DECODER_WIDTH, name="narrow")
        self.body = build_blocks(DECODER_WIDTH, DECODER_DEPTH, "body")
        self.draw = keras.layers.Dense(size, name="draw")

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Builds the parts and the token that stands for every hidden patch."""
        self.narrow.build(shape)
        self.draw.build((None, self.count, DECODER_WIDTH))
        self.missing = self.add_weight(
            name="missing",
            shape=(1, 1, DECODER_WIDTH),
            initializer=keras.initializers.RandomNormal(0.0, 0.02),
        )
        self.built = True

    def call(self, encoded: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
        """Puts every token to its place, (batch, patches) in `order`, and draws."""
        tokens = self.narrow(encoded)  # (batch, seen, width)
        batch, seen = tokens.shape[:2]
        missing = tf.broadcast_to(self.missing.value, (batch, self.count - seen, DECODER_WIDTH))
        tokens = tf.gather(tf.concat([tokens, missing], axis=1), order, axis=1, batch_dims=1)
        return self.draw(self.body(tokens + self.places))


def build_blocks(width: int, depth: int, name: str) -> keras.Model:
    """Transformer blocks and a last normalisation, (batch, tokens, width) to the same."""
    tokens = keras.Input((None, width), name="tokens")
    hidden = tokens
    for number in range(depth):
        hidden = Block(width, name=f"block_{number}")(hidden)
    normalised = keras.layers.LayerNormalization(epsilon=1e-6, name="normalisation")(hidden)
    return keras.Model(tokens, normalised, name=name)


class Block(keras.layers.Layer):
    """Attention, then two dense layers, each after a normalisation and beside a way past it.

    Dosovitskiy et al. 2020 (https://arxiv.org/abs/2010.11929), equations 2 and 3.
    """

    def __init__(self, width: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.width = width
        self.heads = max(1, width // HEAD)
        self.before_attention = keras.layers.LayerNormalization(epsilon=1e-6, name="before_attention")
        self.before_dense = keras.layers.LayerNormalization(epsilon=1e-6, name="before_dense")
        self.inner = self.heads * math.ceil(width / self.heads)
        self.compare = keras.layers.Dense(3 * self.inner, name="compare")
        self.merge = keras.layers.Dense(width, name="merge")
        self.widen = keras.layers.Dense(2 * width, activation="gelu", name="widen")
        self.narrow = keras.layers.Dense(width, name="narrow")

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Builds the layers, all for (batch, tokens, width)."""
        for layer in (self.before_attention, self.before_dense, self.compare, self.widen):
            layer.build(shape)
        self.merge.build((*shape[:-1], self.inner))
        self.narrow.build((*shape[:-1], 2 * self.width))
        self.built = True

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        """Transforms tokens (batch, tokens, width)."""
        tokens += self.merge(self._attended(self.compare(self.before_attention(tokens))))
        return tokens + self.narrow(self.widen(self.before_dense(tokens)))

    def _attended(self, compared: tf.Tensor) -> tf.Tensor:
        """softmax(q k / sqrt(d)) v for each head, of q, k and v side by side."""
        count = tf.shape(compared)[1]
        size = self.inner // self.heads
        split = tf.reshape(compared, (-1, count, 3, self.heads, size))
        query, key, value = tf.unstack(tf.transpose(split, (2, 0, 3, 1, 4)))  # (batch, heads, count, size)
        weights = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) / math.sqrt(size))
        return tf.reshape(tf.transpose(tf.matmul(weights, value), (0, 2, 1, 3)), (-1, count, self.inner))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As it came."""
        return shape
