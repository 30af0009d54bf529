"""Encoders of self-supervised jobs, with the layers that those jobs have, so that their weights fit."""

import math
from typing import Any

import keras
import tensorflow as tf

from jobs.selfsupervised.networks.blocks import Blocks
from jobs.selfsupervised.networks.convolutions import build_encoder
from jobs.selfsupervised.networks.patches import Tokens, cut
from jobs.transformer.vision.networks.plan import Plan


class Masked(keras.layers.Layer):
    """The encoder of `method="masked"`: the mean of its tokens, none of them hidden."""

    halves = 0
    looks = False  #: whether there is an `attention`, which tells where the network looks

    def __init__(self, plan: Plan, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.patch = plan.patch
        height, width, channels = plan.shape
        self.rows, self.columns = math.ceil(height / plan.patch), math.ceil(width / plan.patch)
        count = self.rows * self.columns
        self.tokens = Tokens(self.rows, self.columns, plan.width, name="tokens")
        self.tokens.build((None, count, plan.patch**2 * channels))
        self.body = Blocks(self.rows, self.columns, plan.width, plan.depth, name="body")
        self.body.build((None, count, plan.width))
        self.built = True

    def groups(self) -> list[list[keras.Variable]]:
        """The variables from the input to the output."""
        blocks = [block.trainable_variables for block in self.body.blocks]
        return [self.tokens.trainable_variables, *blocks, self.body.normalise.trainable_variables]

    def freeze(self, groups: int) -> None:
        """Nothing: what is not trained stays as it is."""

    def features(
        self, images: tf.Tensor, kind: tf.DType, training: bool, shares: tf.Tensor | None = None
    ) -> tf.Tensor:
        """One vector an image, float32 (batch, width); calculated in float32, as it was trained."""
        return tf.reduce_mean(self.body(self.tokens(cut(images, self.patch))), axis=1)


class Convolutional(keras.layers.Layer):
    """The encoder of `method="contrastive"` and `"vicreg"`: convolutions with batch normalisation."""

    halves = 0
    looks = False  #: whether there is an `attention`, which tells where the network looks

    def __init__(self, plan: Plan, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.convolutions = build_encoder(plan.shape, plan.filters, plan.width, normalise=True)
        self.built = True

    def groups(self) -> list[list[keras.Variable]]:
        """The variables from the input to the output."""
        return [layer.trainable_variables for layer in self._layers_with_weights()]

    def freeze(self, groups: int) -> None:
        """Keeps the statistics of the lowest layers as they are, too."""
        for layer in self._layers_with_weights()[:groups]:
            layer.trainable = False

    def _layers_with_weights(self) -> list[Any]:
        return [layer for layer in self.convolutions.layers if layer.weights]

    def features(
        self, images: tf.Tensor, kind: tf.DType, training: bool, shares: tf.Tensor | None = None
    ) -> tf.Tensor:
        """One vector an image, float32 (batch, width); calculated in float32, as it was trained."""
        return self.convolutions(images, training=training)
