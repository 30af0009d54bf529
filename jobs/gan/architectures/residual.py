"""Residual networks with spectral normalisation (Miyato et al. 2018, https://arxiv.org/abs/1802.05957).

The generator is that of their table 4, the discriminator that of table 5, with as many blocks as the sides of
the image allow, and fewer channels.
"""

import math
from typing import Any

import keras
import tensorflow as tf

from jobs.gan.architectures.convolutional import cropped, halvings
from jobs.gan.architectures.recipes import Recipe
from jobs.gan.layers.conditions import asked, judged

Shape = tuple[int, int, int]


def build_generator(
    recipe: Recipe, latent_dim: int, shape: Shape, classes: int, dtype: str, kit: Any
) -> keras.Model:
    """See `convolutional.build_generator`; the same width in all blocks."""
    layers, width = keras.layers, 2 * recipe.channels
    latents = keras.Input((latent_dim,), name="latents")
    inputs, hidden = asked(latents, classes)
    count = halvings(shape)
    rows, columns = (math.ceil(side / 2**count) for side in shape[:2])
    hidden = layers.Dense(rows * columns * width, dtype=dtype, name="project")(hidden)
    hidden = layers.Reshape((rows, columns, width), name="grid")(hidden)
    for number in range(count):
        hidden = _doubled(hidden, width, dtype, f"block_{number}", kit)
    hidden = kit.BatchNormalization(dtype=dtype, name="norm")(hidden)
    hidden = layers.ReLU(dtype=dtype, name="relu")(hidden)
    hidden = layers.Conv2D(shape[2], 3, padding="same", dtype=dtype, name="draw")(hidden)
    images = layers.Activation("tanh", dtype="float32", name="pixels")(cropped(hidden, shape))
    return keras.Model(inputs if classes else latents, images, name="generator")


def _doubled(hidden: keras.KerasTensor, width: int, dtype: str, name: str, kit: Any) -> keras.KerasTensor:
    """A block that doubles the sides: two convolutions, beside a way past them."""
    layers = keras.layers
    around = layers.UpSampling2D(dtype=dtype, name=f"{name}_up")(hidden)
    for number in range(2):
        hidden = kit.BatchNormalization(dtype=dtype, name=f"{name}_norm_{number}")(hidden)
        hidden = layers.ReLU(dtype=dtype, name=f"{name}_relu_{number}")(hidden)
        if number == 0:
            hidden = layers.UpSampling2D(dtype=dtype, name=f"{name}_double")(hidden)
        hidden = layers.Conv2D(width, 3, padding="same", dtype=dtype, name=f"{name}_conv_{number}")(hidden)
    return layers.Add(dtype=dtype, name=f"{name}_sum")([hidden, around])


def build_discriminator(recipe: Recipe, shape: Shape, classes: int, dtype: str) -> keras.Model:
    """See `convolutional.build_discriminator`; every layer's weights have a spectral norm of about 1."""
    layers = keras.layers
    images = keras.Input(shape, name="images")
    hidden = images
    for number in range(halvings(shape)):
        hidden = _halved(hidden, recipe.channels, dtype, f"block_{number}", first=number == 0)
    hidden = layers.ReLU(dtype=dtype, name="relu")(hidden)
    features = layers.GlobalAveragePooling2D(dtype="float32", name="features")(hidden)
    logits = SpectralDense(1, dtype="float32", name="logits")(features)
    return judged(images, features, logits, classes)


def _halved(
    hidden: keras.KerasTensor, width: int, dtype: str, name: str, *, first: bool
) -> keras.KerasTensor:
    """A block that halves the sides; the first one has no rectifier, as it sees the image itself."""
    layers = keras.layers
    around = SpectralConv2D(width, 1, dtype=dtype, name=f"{name}_widen")(hidden)
    around = layers.AveragePooling2D(2, padding="same", dtype=dtype, name=f"{name}_around")(around)
    for number in range(2):
        if not (first and number == 0):
            hidden = layers.ReLU(dtype=dtype, name=f"{name}_relu_{number}")(hidden)
        hidden = SpectralConv2D(width, 3, padding="same", dtype=dtype, name=f"{name}_conv_{number}")(hidden)
    hidden = layers.AveragePooling2D(2, padding="same", dtype=dtype, name=f"{name}_halve")(hidden)
    return layers.Add(dtype=dtype, name=f"{name}_sum")([hidden, around])


class _Spectral(keras.layers.Layer):
    """Divides a kernel by its largest singular value, found by one power iteration a call (algorithm 1)."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Builds the layer and the vector that the iteration goes on from."""
        super().build(shape)
        self.direction = self.add_weight(
            name="direction",
            shape=(1, self.kernel.shape[-1]),
            initializer=keras.initializers.RandomNormal(),
            trainable=False,
            dtype="float32",
        )

    def normalised(self, kernel: tf.Tensor) -> tf.Tensor:
        """The kernel (..., outputs) over its largest singular value, as a matrix (all inputs, outputs)."""
        matrix = tf.reshape(tf.cast(kernel, tf.float32), (-1, kernel.shape[-1]))
        left = tf.math.l2_normalize(tf.matmul(self.direction.value, matrix, transpose_b=True))  # (1, inputs)
        right = tf.math.l2_normalize(tf.matmul(left, matrix))  # (1, outputs)
        left, right = tf.stop_gradient(left), tf.stop_gradient(right)
        self.direction.assign(right)
        largest = tf.reduce_sum(tf.matmul(left, matrix) * right)
        return kernel / tf.cast(largest, kernel.dtype)


class SpectralConv2D(_Spectral, keras.layers.Conv2D):
    """A convolution with such a kernel."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """As Keras's, with the kernel normalised."""
        return super().convolution_op(inputs, self.normalised(tf.convert_to_tensor(kernel)))


class SpectralDense(_Spectral, keras.layers.Dense):
    """A dense layer with such a kernel."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """As Keras's, with the kernel normalised."""
        return tf.matmul(inputs, self.normalised(tf.convert_to_tensor(self.kernel))) + self.bias
