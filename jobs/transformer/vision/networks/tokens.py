"""From images to tokens: patches by one product, or convolutions that halve the image."""

import math
from typing import Any

import keras
import tensorflow as tf

from jobs.selfsupervised.networks.patches import cut
from jobs.selfsupervised.networks.shapes import Shape


class PatchTokens(keras.layers.Layer):
    """Each patch times one matrix (Dosovitskiy et al. 2021, equation 1); black is added at the edges.

    Args:
        shape: of the images, (height, width, channels).
        patch: side of a patch in pixels.
        width: numbers in a token.
    """

    def __init__(self, shape: Shape, patch: int, width: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.patch = patch
        self.rows, self.columns = math.ceil(shape[0] / patch), math.ceil(shape[1] / patch)
        self.project = keras.layers.Dense(width, name="project")
        self.project.build((None, patch * patch * shape[2]))
        self.built = True

    def of(self, images: tf.Tensor, kind: tf.DType) -> tf.Tensor:
        """Tokens, float32 (batch, tokens, width), of images float32 (batch, height, width, channels)."""
        patches = tf.cast(cut(images, self.patch), kind)
        flat = tf.reshape(patches, (-1, patches.shape[-1]))
        tokens = tf.matmul(flat, tf.cast(self.project.kernel.value, kind))
        tokens = tf.cast(tokens, tf.float32) + self.project.bias.value
        return tf.reshape(tokens, (-1, self.rows * self.columns, tokens.shape[-1]))


class ConvolutionTokens(keras.layers.Layer):
    """Convolutions, each with a ReLU and a pooling that halves height and width.

    Hassani et al. 2021 (https://arxiv.org/abs/2104.05704), equation 2.

    Args:
        shape: of the images, (height, width, channels).
        filters: channels of the convolutions; the last is the width of a token.
    """

    def __init__(self, shape: Shape, filters: tuple[int, ...], **keywords: Any) -> None:
        super().__init__(**keywords)
        self.rows, self.columns = (math.ceil(side / 2 ** len(filters)) for side in shape[:2])
        self.convolutions = [
            keras.layers.Conv2D(
                count,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"convolution_{number}",
            )
            for number, count in enumerate(filters)
        ]
        for layer, channels in zip(self.convolutions, (shape[2], *filters), strict=False):
            layer.build((None, None, None, channels))
        self.built = True

    def of(self, images: tf.Tensor, kind: tf.DType) -> tf.Tensor:
        """Tokens, float32 (batch, tokens, width), of images float32 (batch, height, width, channels)."""
        hidden = tf.cast(images, kind)
        for layer in self.convolutions:
            hidden = tf.nn.conv2d(hidden, tf.cast(layer.kernel.value, kind), 1, "SAME")
            hidden = tf.nn.max_pool2d(tf.nn.relu(hidden), 3, 2, "SAME")
        return tf.cast(tf.reshape(hidden, (-1, self.rows * self.columns, hidden.shape[-1])), tf.float32)
