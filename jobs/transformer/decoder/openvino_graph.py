"""A decoder's step as an OpenVINO graph, built from its weights operation by operation.

The mathematics of `forward`, for all of its families. What depends on places alone (cosines and sines, and
what may be read) is an input: it is computed in float32, whatever the products are computed in.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jobs.transformer.bulk.quantising import quantised, restored
from jobs.transformer.decoder.layout import Array, Layout

#: The types of weights, keys and values; and of what they are in NumPy, which knows no bfloat16.
TYPES = {"float32": ("f32", np.float32), "bfloat16": ("bf16", np.uint16)}


class Kernels:
    """Weights as OpenVINO's tensors, in the type that is multiplied in: all graphs of a decoder share them.

    Args:
        openvino: the imported library.
        weights: float32 by the names of `Layout.shapes`.
        precision: of the tables, and of keys and values: `float32` or `bfloat16`.
        rounded: whether products are of kernels of 8 bits.
    """

    def __init__(
        self, openvino: Any, weights: Mapping[str, Array], precision: str, rounded: bool = False
    ) -> None:
        import ml_dtypes

        self.openvino, self.precision = openvino, precision
        self.rest = {name: array for name, array in weights.items() if array.ndim == 1}
        kind = np.dtype(ml_dtypes.bfloat16 if precision == "bfloat16" else np.float32)
        last = "output" if "output" in weights else "embedding"
        #: Kernels turned to (outputs, inputs), as OpenVINO keeps them; tables as they are.
        self._tensors = {
            name: self.filled((array if is_table(name) else array.T).astype(kind))
            for name, array in weights.items()
            if array.ndim > 1 and not (rounded and is_product(name))
        }
        #: Of 8 bits, with the scales of their rows. The table of tokens has both where it tells tokens, too.
        self._rounded = {
            name: self._filled_rounded(array if is_table(name) else array.T)
            for name, array in weights.items()
            if rounded and array.ndim > 1 and (is_product(name) or name == last)
        }

    def filled(self, array: Array) -> Any:
        """A tensor with the numbers of an array, in memory that OpenVINO has aligned and owns."""
        name, plain = TYPES[self.precision]
        found = self.openvino.Tensor(getattr(self.openvino.Type, name), list(array.shape))
        found.data.view(plain)[:] = array.view(plain)
        return found

    def _filled_rounded(self, kernel: Array) -> tuple[Any, Array]:
        integers, scales = quantised(np.ascontiguousarray(kernel))
        found = self.openvino.Tensor(self.openvino.Type.i8, list(integers.shape))
        found.data[:] = integers
        return found, scales

    def factor(self, name: str) -> Any:
        """The second factor of a product: a new constant on the shared memory, (outputs, inputs)."""
        from openvino import op, opset13

        if name not in self._rounded:
            return self.constant(name)
        integers, scales = self._rounded[name]
        return restored(opset13, op.Constant(integers, shared_memory=True), scales)

    def constant(self, name: str) -> Any:
        """A new constant on the shared memory, as float32."""
        from openvino import op, opset13

        found = op.Constant(self._tensors[name], shared_memory=True)
        return found if self.precision == "float32" else opset13.convert(found, "f32")


def is_table(name: str) -> bool:
    """Whether a weight has a row for each token or place, rather than being a kernel."""
    return name in ("embedding", "positions", "output")


def is_product(name: str) -> bool:
    """Whether a weight is nothing but the second factor of a product."""
    return name == "output" or not is_table(name)


class StepGraph:
    """Builds the graph of one step of some rows.

    Its inputs, in order: tokens and their places, int32 (rows, width); the place in the step that logits are
    wanted after, int32 (rows,); of each different rotary, cosines and sines, (rows, width, 1, head / 2); of
    each different window, what is added to scores, (rows, 1, 1, width, slots + width); keys and values of
    each layer, (rows, groups, slots, head). Its outputs: logits, float32 (rows, vocabulary), and the new keys
    and values, (2 * layers, rows, groups, width, head).

    Args:
        layout: of the decoder.
        kernels: its weights.
        rows: in a batch.
        slots: of a row.
        width: tokens of a step.
    """

    def __init__(self, layout: Layout, kernels: Kernels, rows: int, slots: int, width: int) -> None:
        from openvino import opset13 as ops

        self._layout, self._kernels, self._ops = layout, kernels, ops
        self._rows, self._width, self._shared = rows, width, layout.heads // layout.groups
        kind = TYPES[kernels.precision][0]
        self._tokens = ops.parameter([rows, width], np.int32, name="tokens")
        self._places = ops.parameter([rows, width], np.int32, name="places")
        self._last = ops.parameter([rows], np.int32, name="last")
        angles = [rows, width, 1, layout.head // 2]
        self._turns = [
            tuple(ops.parameter(angles, np.float32, name=f"{name}{number}") for name in ("cosine", "sine"))
            for number in range(len(rotaries(layout)))
        ]
        self._biases = {
            window: ops.parameter([rows, 1, 1, width, slots + width], np.float32, name=f"bias{number}")
            for number, window in enumerate(windows(layout))
        }
        shape = [rows, layout.groups, slots, layout.head]
        self._caches = [
            ops.parameter(shape, getattr(kernels.openvino.Type, kind), name=f"cache{number}")
            for number in range(2 * layout.layers)
        ]
        self._splits = self._integers([slots, width])

    def model(self) -> Any:
        """The graph."""
        ops, layout = self._ops, self._layout
        state, new = self._embedded(), []
        for number in range(layout.layers):
            added, keys, values = self._attention(number, self._norm(f"{number}/attention_norm", state))
            state = ops.add(state, added)
            state = ops.add(state, self._inner(number, self._norm(f"{number}/inner_norm", state)))
            new += [keys, values]
        state = self._norm("norm", state)
        chosen = ops.gather(state, ops.unsqueeze(self._last, self._integers([1])), self._integers(1), 1)
        table = self._kernels.factor("embedding" if layout.tied else "output")
        logits = ops.matmul(ops.squeeze(chosen, self._integers([1])), table, False, True)
        found = ops.concat([ops.unsqueeze(each, self._integers([0])) for each in new], 0)
        outputs = [ops.convert(logits, "f32"), ops.convert(found, TYPES[self._kernels.precision][0])]
        turns = [each for pair in self._turns for each in pair]
        given = [self._tokens, self._places, self._last, *turns, *self._biases.values(), *self._caches]
        return self._kernels.openvino.Model(outputs, given, layout.family)

    def _embedded(self) -> Any:
        ops, layout = self._ops, self._layout
        state = ops.gather(self._kernels.constant("embedding"), self._tokens, self._integers(0))
        if layout.embedding_scale != 1:
            state = ops.multiply(state, self._numbers(layout.embedding_scale))
        if layout.rotary is None:
            rows = ops.gather(self._kernels.constant("positions"), self._places, self._integers(0))
            state = ops.add(state, rows)
        return state

    def _attention(self, number: int, state: Any) -> tuple[Any, Any, Any]:
        """What attention adds, and the new keys and values, (rows, groups, width, head)."""
        ops, layout = self._ops, self._layout
        rows, width, groups, shared, head = (
            self._rows,
            self._width,
            layout.groups,
            self._shared,
            layout.head,
        )
        projected = self._product(f"{number}/qkv", state, layout.query_biases)
        parts = ops.variadic_split(projected, self._integers(2), self._integers(list(layout.projected)))
        query, key, value = (
            self._reshaped(part, [rows, width, -1, head]) for part in (parts.output(n) for n in range(3))
        )
        if layout.normed_heads:
            query = self._norm(f"{number}/query_norm", query)
            key = self._norm(f"{number}/key_norm", key)
        if layout.rotary is not None:
            turns = self._turns[rotaries(layout).index(layout.rotary[number])]
            query, key = self._turned(query, turns), self._turned(key, turns)
        key, value = (self._transposed(each, [0, 2, 1, 3]) for each in (key, value))
        # The queries that share a head of keys in one product with it.
        query = self._transposed(self._reshaped(query, [rows, width, groups, shared, head]), [0, 2, 3, 1, 4])
        query = self._reshaped(query, [rows, groups, shared * width, head])
        query = ops.multiply(query, self._numbers(layout.query_scale))
        known = [self._whole(each) for each in self._caches[2 * number : 2 * number + 2]]
        scores = ops.concat(
            [ops.matmul(query, known[0], False, True), ops.matmul(query, key, False, True)], -1
        )
        scores = self._reshaped(scores, [rows, groups, shared, width, -1])
        shares = ops.softmax(ops.add(scores, self._biases[layout.windows[number]]), -1)
        shares = self._reshaped(shares, [rows, groups, shared * width, -1])
        before = ops.variadic_split(shares, self._integers(3), self._splits)
        mixed = ops.add(
            ops.matmul(before.output(0), known[1], False, False),
            ops.matmul(before.output(1), value, False, False),
        )
        mixed = self._transposed(self._reshaped(mixed, [rows, groups, shared, width, head]), [0, 3, 1, 2, 4])
        mixed = self._reshaped(mixed, [rows, width, layout.heads * head])
        added = self._product(f"{number}/out", mixed, layout.biases)
        return self._after(f"{number}/after_attention", added), key, value

    def _inner(self, number: int, state: Any) -> Any:
        """What the inner layer adds."""
        ops, layout = self._ops, self._layout
        values = self._product(f"{number}/up", state, layout.biases)
        if layout.gated:
            halves = ops.variadic_split(values, self._integers(2), self._integers([layout.inner] * 2))
            values = ops.multiply(self._activated(halves.output(0)), halves.output(1))
        else:
            values = self._activated(values)
        return self._after(f"{number}/after_inner", self._product(f"{number}/down", values, layout.biases))

    def _activated(self, values: Any) -> Any:
        if self._layout.activation == "silu":
            return self._ops.swish(values)
        return self._ops.gelu(values, "tanh" if self._layout.activation == "gelu_tanh" else "erf")

    def _turned(self, heads: Any, turns: Any) -> Any:
        """Each pair (n, n + head / 2) of a head turned by its angle."""
        ops = self._ops
        cosine, sine = turns
        halves = ops.split(heads, self._integers(3), 2)
        first, second = halves.output(0), halves.output(1)
        return ops.concat(
            [
                ops.subtract(ops.multiply(first, cosine), ops.multiply(second, sine)),
                ops.add(ops.multiply(second, cosine), ops.multiply(first, sine)),
            ],
            -1,
        )

    def _product(self, name: str, values: Any, biased: bool) -> Any:
        found = self._ops.matmul(values, self._kernels.factor(name), False, True)
        return self._ops.add(found, self._numbers(self._kernels.rest[f"{name}_bias"])) if biased else found

    def _norm(self, name: str, state: Any) -> Any:
        ops, layout = self._ops, self._layout
        scale = self._kernels.rest[name]
        if layout.norm == "layer" and f"{name}_bias" in self._kernels.rest:
            normed = ops.mvn(state, self._integers([-1]), True, layout.epsilon, "inside_sqrt")
            scaled = ops.multiply(normed, self._numbers(scale))
            return ops.add(scaled, self._numbers(self._kernels.rest[f"{name}_bias"]))
        squares = ops.reduce_mean(ops.power(state, self._numbers(2.0)), self._integers([-1]), True)
        factor = ops.sqrt(ops.add(squares, self._numbers(layout.epsilon)))
        return ops.multiply(ops.divide(state, factor), self._numbers(scale + np.float32(layout.offset)))

    def _after(self, name: str, values: Any) -> Any:
        return self._norm(name, values) if self._layout.sandwiched else values

    def _whole(self, cache: Any) -> Any:
        return cache if self._kernels.precision == "float32" else self._ops.convert(cache, "f32")

    def _reshaped(self, values: Any, shape: list[int]) -> Any:
        return self._ops.reshape(values, self._integers(shape), False)

    def _transposed(self, values: Any, order: list[int]) -> Any:
        return self._ops.transpose(values, self._integers(order))

    def _numbers(self, values: Any) -> Any:
        return self._ops.constant(np.asarray(values, np.float32), np.float32)

    def _integers(self, values: Any) -> Any:
        return self._ops.constant(np.asarray(values, np.int32), np.int32)


def rotaries(layout: Layout) -> list[Any]:
    """The different ones, in the order of layers."""
    return list(dict.fromkeys(layout.rotary or ()))


def windows(layout: Layout) -> list[int | None]:
    """The different ones, in the order of layers."""
    return list(dict.fromkeys(layout.windows))


def angles(layout: Layout, places: int) -> list[tuple[Array, Array]]:
    """Cosines and sines of each different rotary, float32 (places, head / 2)."""
    found = []
    for rotary in rotaries(layout):
        turned = np.arange(places, dtype=np.float32)[:, None] * rotary.frequencies(layout.head)
        found.append((np.cos(turned), np.sin(turned)))
    return found
