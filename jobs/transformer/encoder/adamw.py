"""AdamW (Loshchilov and Hutter, 2019) as fine-tuning wants it, each variable updated in place."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

#: Names of variables that do not decay: biases, and scale and offset of normalisations, as in transformers.
UNDECAYED = frozenset({"bias", "gamma", "beta"})


class AdamW(keras.optimizers.Optimizer):
    """Adam with decoupled decay of the weights, bias correction, and clipping by the global norm.

    Equation 2 of the paper, as PyTorch computes it: epsilon is added to the root of the *corrected* second
    moment. A step is `update`, not Keras's `apply`; the schedule is the caller's.

    Args:
        learning_rate: at the height of the schedule.
        decay: what a weight loses in a step, as a share of itself times the learning rate.
        beta_1: how much of the mean gradient a step keeps.
        beta_2: how much of the mean squared gradient a step keeps.
        epsilon: keeps the division finite.
        clip_norm: the largest global norm of the gradients; None for any.
        scales: of the learning rate of each variable, in the order of `build`; None = 1 for all.
        undecayed: names of variables that do not decay.
    """

    def __init__(
        self,
        learning_rate: float,
        decay: float = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        clip_norm: float | None = 1.0,
        scales: Sequence[float] | None = None,
        undecayed: frozenset[str] = UNDECAYED,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name="adamw")
        self.scales, self.undecayed = scales, undecayed
        self.decay, self.beta_1, self.beta_2, self.epsilon = decay, beta_1, beta_2, epsilon
        self.clip_norm = clip_norm

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the moments, zeros, for the variables to be trained, in the order of the gradients."""
        if self.built:
            return
        super().build(variables)
        self._means = [self.add_variable_from_reference(each, "mean") for each in variables]
        self._squares = [self.add_variable_from_reference(each, "square") for each in variables]

    def update(self, gradients: Sequence[Any], share: tf.Tensor | float = 1.0) -> tf.Tensor:
        """One step; runs inside the compiled loop.

        Args:
            gradients: of each variable, in the order of `build`; dense or `IndexedSlices`.
            share: of the learning rate, float32 (): where the schedule is.

        Returns:
            The global norm of the gradients before it was clipped, float32 ().
        """
        summed = [_summed(gradient) for gradient in gradients]
        norm = tf.linalg.global_norm(summed)
        scale = 1.0 if self.clip_norm is None else self.clip_norm / tf.maximum(norm, self.clip_norm)
        self.iterations.assign_add(1)
        step = tf.cast(self.iterations.value, tf.float32)
        first, second = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        base = self.learning_rate.value * share
        for number, variable in enumerate(self._trainable_variables):
            rate = base if self.scales is None else base * self.scales[number]
            if self.decay and variable.name not in self.undecayed:
                variable.assign(variable.value * (1 - rate * self.decay))
            tf.raw_ops.ResourceApplyAdam(
                var=variable.value.handle,
                m=self._means[number].value.handle,
                v=self._squares[number].value.handle,
                beta1_power=first,
                beta2_power=second,
                lr=rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon
                * tf.sqrt(1 - second),  # as the operation takes it, before the correction
                grad=_scaled(summed[number], scale),
            )
        return norm


def _summed(gradient: Any) -> Any:
    """A gradient in which every row is there once at most."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, places = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def _scaled(gradient: Any, scale: tf.Tensor | float) -> tf.Tensor:
    """The dense gradient, scaled; of slices, before the rows of zeros come to them, which are most."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient * scale
    slices = tf.IndexedSlices(gradient.values * scale, gradient.indices, gradient.dense_shape)
    return tf.convert_to_tensor(slices)
