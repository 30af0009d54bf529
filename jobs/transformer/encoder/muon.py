"""Muon (Jordan et al., 2024) for the matrices of an encoder, AdamW for all else, updated in place.

Keras's own `Muon` leaves out the projections of KerasHub's attention, which have three axes; here they are
the matrices that they stand for.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from jobs.transformer.encoder.adamw import AdamW

#: Coefficients of the quintic iteration, which bring singular values near 1 in five rounds.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_ROUNDS = 5
#: Root mean square of an update's numbers, so that AdamW's rates fit (Liu et al., 2025, arXiv:2502.16982).
_RMS = 0.2


class Muon(AdamW):
    """Momentum whose singular values are made alike, for kernels; AdamW for tables, biases and scales.

    Args:
        learning_rate: as of `AdamW`.
        decay: as of `AdamW`.
        momentum: how much of the momentum a step keeps.
        keywords: as of `AdamW`.
    """

    def __init__(
        self, learning_rate: float, decay: float = 0.01, momentum: float = 0.95, **keywords: Any
    ) -> None:
        super().__init__(learning_rate, decay, **keywords)
        self.momentum = momentum

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes momenta and moments, zeros, for the variables to be trained."""
        if self.built:
            return
        self._matrices = [number for number, each in enumerate(variables) if each.name == "kernel"]
        self._others = [number for number, each in enumerate(variables) if each.name != "kernel"]
        self._all = list(variables)
        super().build([variables[number] for number in self._others])
        self._momenta = [
            self.add_variable_from_reference(variables[number], "momentum") for number in self._matrices
        ]

    def update(self, gradients: Sequence[Any], share: tf.Tensor | float = 1.0) -> tf.Tensor:
        """One step; see `AdamW.update`. The norm is that of the gradients of all else than kernels."""
        norm = super().update([gradients[number] for number in self._others], share)
        rate = self.learning_rate.value * share
        for number, momentum in zip(self._matrices, self._momenta, strict=True):
            variable, gradient = self._all[number], tf.convert_to_tensor(gradients[number])
            momentum.assign(self.momentum * momentum.value + gradient)
            wanted = gradient + self.momentum * momentum.value
            shape = _matrix(variable)
            step = orthogonal(tf.reshape(wanted, shape))
            scale = _RMS * math.sqrt(max(shape))
            kept = variable.value * (1 - rate * self.decay)
            variable.assign(kept - rate * scale * tf.reshape(step, variable.shape))
        return norm


def orthogonal(matrix: tf.Tensor) -> tf.Tensor:
    """A matrix with the same singular vectors and singular values near 1, float32 (rows, columns)."""
    tall = matrix.shape[0] > matrix.shape[1]
    found = tf.transpose(matrix) if tall else matrix
    found /= tf.norm(found) + 1e-7
    for _ in range(_ROUNDS):
        square = tf.matmul(found, found, transpose_b=True)
        found = _A * found + tf.matmul(_B * square + _C * tf.matmul(square, square), found)
    return tf.transpose(found) if tall else found


def _matrix(variable: keras.Variable) -> tuple[int, int]:
    """Inputs and outputs of a kernel: (hidden, heads, size) of a query, (heads, size, hidden) of outputs."""
    shape = [int(size) for size in variable.shape]
    inputs = 2 if len(shape) == 3 and "attention_output" in variable.path else 1
    return math.prod(shape[:inputs]), math.prod(shape[inputs:])
