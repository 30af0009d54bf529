"""Convolutions padded by reflection, instance normalisation, doubling: lean on CPUs, of any size anywhere.

Images are (batch, height, width, channels), float32 or bfloat16. Where batch and sides are known, as in a
training on a CPU, the operations are those that take least processor time there; elsewhere those that any
picture can go through.
"""

from typing import Any

import keras
import tensorflow as tf

from jobs.training import machine

#: Added to a variance before its root is taken.
EPSILON = 1e-5

Gradient = Any  #: what `tf.custom_gradient` takes: from an upstream gradient to one of each argument


@keras.saving.register_keras_serializable("triptych")
class ReflectedConv2D(keras.layers.Conv2D):
    """A convolution whose images go on beyond their edges as in a mirror."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """As Keras's, of the padded images."""
        by = self.kernel_size[0] // 2
        images, kernel = tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel)
        if not is_lean(images):
            return tf.nn.conv2d(_mirrored(images, by), kernel, self.strides, "VALID")
        if self.kernel_size == (3, 3) and self.strides == (1, 1):
            return convolved(reflected(images, by), kernel)
        return tf.nn.conv2d(reflected(images, by), kernel, self.strides, "VALID")

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The sides over the stride, rounded up."""
        sides = (
            None if side is None else -(-side // stride)
            for side, stride in zip(shape[1:3], self.strides, strict=True)
        )
        return (shape[0], *sides, self.filters)


@keras.saving.register_keras_serializable("triptych")
class InstanceNormalization(keras.layers.Layer):
    """Each channel of each image gets mean 0 and variance 1 (Ulyanov et al. 2016, arXiv:1607.08022)."""

    def call(self, inputs: Any) -> Any:
        """Of (batch, height, width, channels), calculated in float32."""
        images = tf.convert_to_tensor(inputs)
        if is_lean(images) and images.dtype == tf.bfloat16:
            return _normalised_in_one(images)
        exact = tf.cast(images, tf.float32)
        mean, variance = tf.nn.moments(exact, [1, 2], keepdims=True)
        return tf.cast((exact - mean) * tf.math.rsqrt(variance + EPSILON), images.dtype)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The same."""
        return shape


@keras.saving.register_keras_serializable("triptych")
class Doubled(keras.layers.Layer):
    """Every pixel four times; a convolution comes after it, and no chessboard shows (Odena et al. 2016)."""

    def call(self, inputs: Any) -> Any:
        """From (batch, height, width, channels) to (batch, 2 height, 2 width, channels)."""
        images = tf.convert_to_tensor(inputs)
        shape = tf.shape(images)
        height, width = images.shape[1] or shape[1], images.shape[2] or shape[2]
        batch, channels = images.shape[0] or shape[0], images.shape[3]
        wide = tf.reshape(tf.concat([images, images], axis=3), (batch, height, 2 * width * channels))
        return tf.reshape(tf.concat([wide, wide], axis=2), (batch, 2 * height, 2 * width, channels))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Twice the sides."""
        sides = (None if side is None else 2 * side for side in shape[1:3])
        return (shape[0], *sides, shape[3])


def is_lean(images: tf.Tensor) -> bool:
    """Whether the sizes are all known, and it is a CPU that computes."""
    return images.shape.is_fully_defined() and not machine.has_gpu()


def _mirrored(images: tf.Tensor, by: int) -> tf.Tensor:
    return tf.pad(images, [(0, 0), (by, by), (by, by), (0, 0)], mode="REFLECT")


def reflected(images: tf.Tensor, by: int) -> tf.Tensor:
    """What `tf.pad` makes with `REFLECT`, of images larger than `by`, in less time."""
    for axis in (1, 2):
        side = images.shape[axis]
        before = [_line(images, axis, by - number) for number in range(by)]
        after = [_line(images, axis, side - 2 - number) for number in range(by)]
        images = tf.concat([*before, images, *after], axis=axis)
    return images


def _line(images: tf.Tensor, axis: int, place: int) -> tf.Tensor:
    return images[:, place : place + 1] if axis == 1 else images[:, :, place : place + 1]


@tf.custom_gradient
def convolved(padded: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """A 3 x 3 convolution of padded images; the kernel's gradient is nine products of matrices.

    oneDNN's own is no faster in bfloat16 than in float32.
    """

    def gradient(maps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_images = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=padded.shape,
            filter=kernel,
            out_backprop=maps,
            strides=[1, 1, 1, 1],
            padding="VALID",
        )
        rows, columns, filters = maps.shape[1:]
        flat = tf.reshape(maps, (-1, filters))
        products = [
            tf.matmul(
                tf.reshape(padded[:, down : down + rows, right : right + columns], (-1, padded.shape[3])),
                flat,
                transpose_a=True,
            )
            for down in range(3)
            for right in range(3)
        ]
        return of_images, tf.reshape(tf.stack(products), kernel.shape)

    return tf.nn.conv2d(padded, kernel, 1, "VALID"), gradient


def _normalised_in_one(images: tf.Tensor) -> tf.Tensor:
    """By the operation for batches, of one image whose channels are those of all: it reads them once."""
    batch, height, width, channels = images.shape
    count = batch * channels
    side_by_side = tf.reshape(tf.transpose(images, (1, 2, 0, 3)), (1, height, width, count))
    outputs = tf.raw_ops.FusedBatchNormV3(
        x=side_by_side,
        scale=tf.ones(count),
        offset=tf.zeros(count),
        mean=tf.zeros(count),
        variance=tf.zeros(count),
        epsilon=EPSILON,
        is_training=True,
    )[0]
    return tf.transpose(tf.reshape(outputs, (height, width, batch, channels)), (2, 0, 1, 3))
