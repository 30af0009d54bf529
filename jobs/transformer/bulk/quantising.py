"""Weights of 8 bits, each output's with a scale of its own.

Symmetric rounding by output channel, Krishnamoorthi 2018, section 2.2 and 3.1 (https://arxiv.org/abs/1806.08342).
OpenVINO rounds the inputs of a product as well, while it runs, each group of numbers by itself: nothing has
to be calibrated, and no row depends on others.
"""

from typing import Any

import numpy as np

from jobs.pretrained.tokens import Array

#: The precision.
INT8 = "int8"
_MOST = 127


def quantised(kernel: Array) -> tuple[Array, Array]:
    """The nearest multiples, int8 (outputs, inputs), of scales, float32 (outputs, 1).

    Args:
        kernel: float32 (outputs, inputs).
    """
    largest = np.abs(kernel).max(axis=1, keepdims=True)
    scales = np.where(largest > 0, largest / _MOST, 1).astype(np.float32)
    return np.rint(kernel / scales).astype(np.int8), scales


def restored(ops: Any, integers: Any, scales: Array) -> Any:
    """The node that OpenVINO takes for weights of 8 bits.

    Args:
        ops: OpenVINO's operations.
        integers: a constant, int8 (outputs, inputs).
        scales: of its rows, float32 (outputs, 1).
    """
    return ops.multiply(ops.convert(integers, "f32"), ops.constant(scales, np.float32))
