"""Convolutions padded by reflection, instance normalisation, doubling: lean on CPUs, of any size anywhere.

Images are (batch, height, width, channels), float32 or bfloat16. Where batch and sides are known, as in a
training on a CPU, the operations are those that take least processor time there; elsewhere those that any
picture can go through.
"""

from typing import Any

import keras
import numpy as np
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

    @tf.custom_gradient
    def padded(images: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        shape = images.shape
        for axis in (1, 2):
            side = shape[axis]
            before, after = (_turned(_lines(images, axis, at, by), axis) for at in (1, side - 1 - by))
            images = tf.concat([before, images, after], axis=axis)
        return images, lambda gradient: _folded(_folded(gradient, 2, shape[2], by), 1, shape[1], by)

    outputs: tf.Tensor = padded(images)
    return outputs


def _folded(gradient: tf.Tensor, axis: int, side: int, by: int) -> tf.Tensor:
    """Adds what was put around images to what it was a copy of: the gradient of that."""
    if side < 2 * by + 2:  # both ends are copies of the same lines
        inner = _lines(gradient, axis, by, side)
        for first, at in ((0, 1), (by + side, side - 1 - by)):
            around = [(0, 0)] * 4
            around[axis] = (at, side - at - by)
            inner += tf.pad(_turned(_lines(gradient, axis, first, by), axis), around)
        return inner
    sizes = [by, 1, by, side - 2 * by - 2, by, 1, by]
    before, first, near, middle, far, last, after = tf.split(gradient, sizes, axis=axis)
    near, far = near + _turned(before, axis), far + _turned(after, axis)
    return tf.concat([first, near, middle, far, last], axis=axis)


def _lines(images: tf.Tensor, axis: int, first: int, count: int) -> tf.Tensor:
    begin, size = [0] * 4, list(images.shape)
    begin[axis], size[axis] = first, count
    return tf.slice(images, begin, size)


def _turned(lines: tf.Tensor, axis: int) -> tf.Tensor:
    return lines if lines.shape[axis] == 1 else tf.reverse(lines, [axis])


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
        batch, rows, columns, filters = maps.shape
        channels = padded.shape[3]
        flat = tf.reshape(maps, (-1, filters))
        size, pixels = tf.constant((batch, rows, columns, channels)), tf.constant((-1, channels))
        products = [
            tf.matmul(tf.reshape(tf.slice(padded, (0, down, right, 0), size), pixels), flat, transpose_a=True)
            for down in range(3)
            for right in range(3)
        ]
        return of_images, tf.reshape(tf.stack(products), kernel.shape)

    return tf.nn.conv2d(padded, kernel, 1, "VALID"), gradient


@tf.custom_gradient
def _normalised_in_one(images: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """By the operation for batches, of one image whose channels are those of all: it reads them once."""
    batch, height, width, channels = images.shape
    count = batch * channels
    scale, zeros = tf.constant(np.ones(count, np.float32)), tf.constant(np.zeros(count, np.float32))

    def side_by_side(images: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.transpose(images, (1, 2, 0, 3)), (1, height, width, count))

    def apart(images: tf.Tensor) -> tf.Tensor:
        return tf.transpose(tf.reshape(images, (height, width, batch, channels)), (2, 0, 1, 3))

    inputs = side_by_side(images)
    outputs = tf.raw_ops.FusedBatchNormV3(
        x=inputs, scale=scale, offset=zeros, mean=zeros, variance=zeros, epsilon=EPSILON, is_training=True
    )

    def gradient(maps: tf.Tensor) -> tf.Tensor:
        found = tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=side_by_side(maps),
            x=inputs,
            scale=scale,
            reserve_space_1=outputs.reserve_space_1,
            reserve_space_2=outputs.reserve_space_2,
            reserve_space_3=outputs.reserve_space_3,
            epsilon=EPSILON,
            is_training=True,
        )
        return apart(found.x_backprop)

    return apart(outputs.y), gradient
