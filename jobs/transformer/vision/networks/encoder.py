"""Encoders of images built here: the plain Vision Transformer, and the compact convolutional one."""

from typing import Any

import keras
import tensorflow as tf

from jobs.transformer.vision.networks.blocks import Block, Stream, first_norm, forward, stepped
from jobs.transformer.vision.networks.plan import Plan
from jobs.transformer.vision.networks.tokens import ConvolutionTokens, PatchTokens

_SMALL = 0.02  #: deviation of what positions and class token begin with, as in the papers


class Transformer(keras.layers.Layer):
    """Tokens with learnt positions, blocks, and one vector made of all.

    The plain Vision Transformer (Dosovitskiy et al. 2021, equations 1 to 4) reads the last state of a class
    token; the compact one (Hassani et al. 2021, equation 4) a mean of all tokens with learnt weights.

    Args:
        plan: of the network.

    Attributes:
        halves: of blocks, which stochastic depth may leave out.
    """

    looks = True  #: whether there is an `attention`, which tells where the network looks

    def __init__(self, plan: Plan, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.compact = plan.architecture == "cct"
        self.tokens: Any = (
            ConvolutionTokens(plan.shape, plan.filters, name="tokens")
            if self.compact
            else PatchTokens(plan.shape, plan.patch, plan.width, name="tokens")
        )
        self.rows, self.columns = self.tokens.rows, self.tokens.columns
        self.special = 0 if self.compact else plan.special
        self.reads = plan.reads
        self.count = self.rows * self.columns + self.special
        small = keras.initializers.TruncatedNormal(0.0, _SMALL)
        self.positions = self.add_weight(shape=(self.count, plan.width), initializer=small, name="positions")
        if self.compact:
            self.pool = keras.layers.Dense(1, name="pool")
            self.pool.build((None, plan.width))
        else:
            self.first = self.add_weight(
                shape=(self.special, plan.width), initializer=small, name="class_token"
            )
        self.blocks = [
            Block(plan.width, plan.heads, plan.inner, plan.epsilon, name=f"block_{n}")
            for n in range(plan.depth)
        ]
        self.last = keras.layers.LayerNormalization(epsilon=plan.epsilon, name="last_norm")
        for layer in (*self.blocks, self.last):
            layer.build((None, plan.width))
        self.halves = 2 * plan.depth
        self.built = True

    def groups(self) -> list[list[keras.Variable]]:
        """The variables from the input to the output: tokens, each block, what reads the last one."""
        beginning = [*self.tokens.trainable_variables, self.positions]
        beginning += [] if self.compact else [self.first]
        end = [*self.last.trainable_variables, *(self.pool.trainable_variables if self.compact else [])]
        return [beginning, *(block.trainable_variables for block in self.blocks), end]

    def freeze(self, groups: int) -> None:
        """Nothing: what is not trained stays as it is."""

    def features(
        self, images: tf.Tensor, kind: tf.DType, training: bool, shares: tf.Tensor | None = None
    ) -> tf.Tensor:
        """One vector an image, float32 (batch, width), or of two tokens (batch, 2 * width).

        Args:
            images: float32 (batch, height, width, channels).
            kind: the type of the activations.
            training: has no part in it.
            shares: see `Stream`.
        """
        stream = Stream(tf.shape(images)[0], self.count, kind, shares)
        hidden = forward(self.blocks, self.last, self._begun(images, stream), stream)
        return self._pooled(tf.reshape(hidden, (-1, self.count, hidden.shape[-1])))

    def attention(self, images: tf.Tensor) -> tf.Tensor:
        """How much each place of the image counts, float32 (batch, rows, columns), 1 in sum.

        Of the compact one the weights of its mean; of the plain one how much the class token looks at each
        patch in the last block, mean over the heads.
        """
        stream = Stream(tf.shape(images)[0], self.count, tf.float32)
        total = self._begun(images, stream)
        normed = first_norm(self.blocks, self.last, total, stream)
        for number, block in enumerate(self.blocks):
            last = number + 1 == len(self.blocks)
            if last and not self.compact:
                looks = block.weights_of(normed, stream)[:, 0, self.special :]
                looks /= tf.reduce_sum(looks, axis=1, keepdims=True)
                return tf.reshape(looks, (-1, self.rows, self.columns))
            following = self.last if last else self.blocks[number + 1].attention_norm
            total, normed = stepped(block, following, total, normed, number, stream)
        weights = self._weights(tf.reshape(normed, (-1, self.count, normed.shape[-1])))
        return tf.reshape(weights, (-1, self.rows, self.columns))

    def _begun(self, images: tf.Tensor, stream: Stream) -> tf.Tensor:
        """What the first block adds to, float32 (batch * tokens, width)."""
        tokens = self.tokens.of(images, stream.kind)
        width = tokens.shape[-1]
        if not self.compact:
            first = tf.broadcast_to(self.first.value[tf.newaxis], (stream.batch, self.special, width))
            tokens = tf.concat([first, tokens], axis=1)
        return tf.reshape(tokens + self.positions.value, (-1, width))

    def _pooled(self, hidden: tf.Tensor) -> tf.Tensor:
        if not self.compact:
            read = hidden[:, : self.reads]  # of DeiT also the token that was to imitate a teacher
            return tf.cast(tf.reshape(read, (-1, self.reads * hidden.shape[-1])), tf.float32)
        hidden = tf.cast(hidden, tf.float32)
        return tf.reduce_sum(self._weights(hidden) * hidden, axis=1)

    def _weights(self, hidden: tf.Tensor) -> tf.Tensor:
        """Of the mean over tokens, float32 (batch, tokens, 1)."""
        return tf.nn.softmax(hidden @ self.pool.kernel.value + self.pool.bias.value, axis=1)
