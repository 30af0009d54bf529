"""Layers that train faster on CPUs than Keras's of the same names, and have the same weights and meaning.

What is trained is made of these; what is saved is made of Keras's own, so that `generator.keras` opens
without Triptych. Not for GPUs, whose libraries are fast at what is avoided here.
"""

from typing import Any

import keras
import tensorflow as tf

from jobs.gan.layers.strided import STRIDE, convolved, spread

__all__ = ["BatchNormalization", "Conv2D", "Conv2DTranspose"]


class Conv2D(keras.layers.Conv2D):
    """A convolution with kernels of 4 x 4, a stride of 2, and `same` padding."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """As Keras's."""
        return convolved(inputs, tf.convert_to_tensor(kernel))


class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """Such a convolution transposed, which doubles the sides."""

    def call(self, inputs: Any) -> Any:
        """As Keras's."""
        sides = (STRIDE * inputs.shape[1], STRIDE * inputs.shape[2])
        outputs = spread(inputs, tf.convert_to_tensor(self.kernel), sides)
        return outputs + tf.convert_to_tensor(self.bias) if self.use_bias else outputs


class BatchNormalization(keras.layers.BatchNormalization):
    """Of images, by the operation that reads them once; Keras's takes a dozen, on float32 copies."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """As Keras's."""
        if not training:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=self.moving_mean.value,
            variance=self.moving_variance.value,
            epsilon=self.epsilon,
            is_training=True,
        )
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
        # The operation's is that of a sample; Keras keeps that of the batch itself.
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance * (count - 1.0) / count)
        return outputs

    def _move(self, moving: keras.Variable, found: tf.Tensor) -> None:
        moving.assign(moving * self.momentum + found * (1.0 - self.momentum))
