"""Parts of a Transformer as OpenVINO's operations, whose weights are those of Keras's layers."""

from typing import Any

import numpy as np

from jobs.pretrained.tokens import Array
from jobs.transformer.bulk.quantising import INT8, quantised, restored


class Operations:
    """Builds pieces of a graph; whoever calls `quiet_import` first may make one.

    Args:
        precision: `int8` for kernels of 8 bits; with any other they are as they are.
    """

    def __init__(self, precision: str = "float32") -> None:
        from openvino import opset13

        self.ops: Any = opset13
        self._rounded = precision == INT8

    def head(self, layer: Any, given: Any) -> Any:
        """`dense` with the kernel as it is: the last one of a network costs little and decides."""
        return self._product(*_kernel_and_bias(layer), given, rounded=False)

    def dense(self, layer: Any, given: Any) -> Any:
        """Inputs times the kernel of a dense layer, and its bias if it has one."""
        return self.product(*_kernel_and_bias(layer), given)

    def product(self, kernel: Array, bias: Array | None, given: Any) -> Any:
        """Inputs times a kernel, whose axes that are none of the bias are inputs, and the bias."""
        return self._product(kernel, bias, given, self._rounded)

    def _product(self, kernel: Array, bias: Array | None, given: Any, rounded: bool) -> Any:
        inputs = int(np.prod(kernel.shape[: kernel.ndim - (1 if bias is None else bias.ndim)]))
        turned = np.ascontiguousarray(kernel.reshape(inputs, -1).T)
        if rounded:
            integers, scales = quantised(turned)
            weights = restored(self.ops, self.ops.constant(integers, np.int8), scales)
        else:
            weights = self.constant(turned)
        found = self.ops.matmul(given, weights, False, True)
        return found if bias is None else self.ops.add(found, self.constant(bias.reshape(-1)))

    def norm(self, layer: Any, given: Any) -> Any:
        """Layer normalisation of the last axis."""
        normed = self.ops.mvn(given, self.integers([-1]), True, layer.epsilon, "inside_sqrt")
        scaled = self.ops.multiply(normed, self.constant(array_of(layer.gamma)))
        return self.ops.add(scaled, self.constant(array_of(layer.beta)))

    def attention(self, query: Any, key: Any, value: Any, heads: int, size: int, *biases: Any) -> Any:
        """Softmax of the scaled products, times the values, heads joined: (batch, tokens, heads * size).

        Args:
            query: (batch, heads, tokens, size).
            key: likewise.
            value: likewise.
            heads: how many.
            size: numbers that a head compares.
            biases: added to the scores, (batch or 1, heads or 1, tokens or 1, tokens).
        """
        ops = self.ops
        scaled = ops.multiply(query, self.constant(np.float32(size**-0.5)))
        scores = ops.matmul(scaled, key, False, True)
        for bias in biases:
            scores = ops.add(scores, bias)
        found = ops.matmul(ops.softmax(scores, -1), value, False, False)
        joined = ops.transpose(found, self.integers([0, 2, 1, 3]))
        return ops.reshape(joined, self.integers([0, 0, heads * size]), special_zero=True)

    def heads(self, values: Any, heads: int, size: int) -> Any:
        """(batch, tokens, heads * size) as (batch, heads, tokens, size)."""
        apart = self.ops.reshape(values, self.integers([0, 0, heads, size]), special_zero=True)
        return self.ops.transpose(apart, self.integers([0, 2, 1, 3]))

    def gelu(self, values: Any, approximate: bool = False) -> Any:
        """By the error function, or nearly so by the tangent."""
        return self.ops.gelu(values, "tanh" if approximate else "erf")

    def constant(self, array: Array | np.float32) -> Any:
        """A float32 constant."""
        return self.ops.constant(array, np.float32)

    def integers(self, values: list[int]) -> Any:
        """An int32 constant, such as a shape or axes."""
        return self.ops.constant(values, np.int32)


def _kernel_and_bias(layer: Any) -> tuple[Array, Array | None]:
    return array_of(layer.kernel), None if layer.bias is None else array_of(layer.bias)


def array_of(variable: Any) -> Array:
    """The value of a variable."""
    return np.asarray(variable.value, np.float32)
