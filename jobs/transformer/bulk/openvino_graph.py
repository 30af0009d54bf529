"""A trained model as an OpenVINO graph, built from its weights operation by operation.

The same mathematics as KerasHub's, for all of its families. OpenVINO finds neither layer normalisation nor
attention in the graph that KerasHub leaves in TensorFlow; here it is told (docs/decisions.md).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from jobs.pretrained.families import FAMILIES
from jobs.pretrained.models import Loaded, segments
from jobs.pretrained.spans import LoadedSpans
from jobs.pretrained.tokens import Array

#: Added to the score of what is padding: with it, nothing is left of its weight in any precision.
MASKED = -1e9


class Graph:
    """Builds the graph of one model.

    Args:
        openvino: the imported library.
        loaded: the model.
    """

    def __init__(self, openvino: Any, loaded: Loaded | LoadedSpans) -> None:
        from openvino import opset13

        self._openvino, self._ops = openvino, opset13
        self._family: str = loaded.family
        self._loaded: Any = loaded
        self._backbone = loaded.backbone
        self._tokens = opset13.parameter([-1, -1], np.int32, name="tokens")
        self._lengths = opset13.parameter([-1], np.int32, name="lengths")
        self._places = self._up_to_width()

    def logits(self) -> Any:
        """A model with the logits of a batch, float32 (batch, classes)."""
        blocks = list(self._blocks())
        hidden = self._embedded()
        for number, block in enumerate(blocks):
            hidden = self._block(block, hidden, first_only=number == len(blocks) - 1)
        first = self._ops.squeeze(hidden, [1])  # (batch, hidden)
        classifier = self._loaded.classifier
        dense = self._backbone if self._family in ("bert", "albert") else classifier
        pooled = self._dense(dense.pooled_dense, first)
        activation = {"tanh": self._ops.tanh, "relu": self._ops.relu}[dense.pooled_dense.activation.__name__]
        return self._model(self._dense(classifier.output_dense, activation(pooled)))

    def spans(self) -> Any:
        """A model with the logits of each token to begin and to end an answer, float32 (batch, width, 2).

        It takes a third input where the family has segments: the place of the first token of each second
        text, int32 (batch,).
        """
        seconds = self._ops.parameter([-1], np.int32, name="seconds") if segments(self._family) else None
        hidden = self._embedded(seconds)
        for block in self._blocks():
            hidden = self._block(block, hidden)
        return self._model(self._dense(self._loaded.head, hidden), *([] if seconds is None else [seconds]))

    def embeddings(self, normalize: bool) -> Any:
        """A model with the mean over each text of its last hidden states, float32 (batch, hidden)."""
        ops = self._ops
        hidden = self._embedded()
        for block in self._blocks():
            hidden = self._block(block, hidden)
        there = ops.unsqueeze(ops.convert(self._there(), "f32"), [1])  # (batch, 1, width)
        sums = ops.squeeze(ops.matmul(there, hidden, False, False), [1])
        means = ops.divide(sums, ops.unsqueeze(ops.convert(self._lengths, "f32"), [1]))
        return self._model(ops.normalize_l2(means, [1], 1e-24, "max") if normalize else means)

    def _model(self, output: Any, *inputs: Any) -> Any:
        return self._openvino.Model([output], [self._tokens, self._lengths, *inputs], self._family)

    def _blocks(self) -> Iterator[Any]:
        """In the order in which tokens go through them; ALBERT's more than once."""
        if self._family != "albert":
            yield from self._backbone.transformer_layers
            return
        for group in self._backbone.transformer_layers:
            for _ in range(self._backbone.num_layers // self._backbone.num_groups):
                yield from group

    def _embedded(self, seconds: Any = None) -> Any:
        """Sum of the embeddings of token, position and segment, normalised, (batch, width, hidden)."""
        ops, backbone = self._ops, self._backbone
        has = segments(self._family)
        position = backbone.position_embedding if has else backbone.embeddings.position_embedding
        places = _array(position.position_embeddings)
        if has and seconds is None:  # one text, and so one segment
            places = places + _array(backbone.segment_embedding.embeddings)[0]
        words = ops.gather(self._constant(_array(backbone.token_embedding.embeddings)), self._tokens, 0)
        summed = ops.add(words, ops.gather(self._constant(places), self._places, 0))
        if seconds is not None:
            number = ops.greater_equal(self._places, ops.unsqueeze(seconds, [1]))  # (batch, width)
            table = self._constant(_array(backbone.segment_embedding.embeddings))
            summed = ops.add(summed, ops.gather(table, ops.convert(number, "i32"), 0))
        normed = self._norm(backbone.embeddings_layer_norm, summed)
        return self._dense(backbone.embeddings_projection, normed) if self._family == "albert" else normed

    def _block(self, layer: Any, hidden: Any, first_only: bool = False) -> Any:
        """A block; all that it computes, or what its output for the first token depends on."""
        ops, attention = self._ops, layer._self_attention_layer
        asking = ops.gather(hidden, self._integers([0]), 1) if first_only else hidden
        query, key, value = (
            self._heads(self._dense(dense, given))
            for dense, given in (
                (attention.query_dense, asking),
                (attention.key_dense, hidden),
                (attention.value_dense, hidden),
            )
        )
        attended = self._dense(attention.output_dense, self._attention(query, key, value))
        middle = self._norm(layer._self_attention_layer_norm, ops.add(attended, asking))
        inner = self._dense(layer._feedforward_intermediate_dense, middle)
        mode = "tanh" if FAMILIES[self._family].activation == "gelu_pytorch_tanh" else "erf"
        outer = self._dense(layer._feedforward_output_dense, ops.gelu(inner, mode))
        return self._norm(layer._feedforward_layer_norm, ops.add(outer, middle))

    def _attention(self, query: Any, key: Any, value: Any) -> Any:
        """Softmax of the scaled products, times the values: (batch, heads, width, size) in, heads joined."""
        ops = self._ops
        size = self._backbone.hidden_dim // self._backbone.num_heads
        scaled = ops.multiply(query, self._constant(np.float32(size**-0.5)))
        scores = ops.add(ops.matmul(scaled, key, False, True), self._bias())
        found = ops.matmul(ops.softmax(scores, -1), value, False, False)
        joined = ops.transpose(found, self._integers([0, 2, 1, 3]))
        return ops.reshape(joined, self._integers([0, 0, self._backbone.hidden_dim]), special_zero=True)

    def _heads(self, values: Any) -> Any:
        """(batch, width, hidden) as (batch, heads, width, size of a head)."""
        heads = self._backbone.num_heads
        shape = self._integers([0, 0, heads, self._backbone.hidden_dim // heads])
        apart = self._ops.reshape(values, shape, special_zero=True)
        return self._ops.transpose(apart, self._integers([0, 2, 1, 3]))

    def _dense(self, layer: Any, given: Any) -> Any:
        kernel, bias = _array(layer.kernel), _array(layer.bias)
        # An axis of the kernel that is no axis of the bias is an input.
        inputs = int(np.prod(kernel.shape[: kernel.ndim - bias.ndim]))
        weights = self._constant(np.ascontiguousarray(kernel.reshape(inputs, -1).T))
        product = self._ops.matmul(given, weights, False, True)
        return self._ops.add(product, self._constant(bias.reshape(-1)))

    def _norm(self, layer: Any, given: Any) -> Any:
        normed = self._ops.mvn(given, self._integers([-1]), True, layer.epsilon, "inside_sqrt")
        scaled = self._ops.multiply(normed, self._constant(_array(layer.gamma)))
        return self._ops.add(scaled, self._constant(_array(layer.beta)))

    def _up_to_width(self) -> Any:
        """The numbers 0, 1 and so on of the places of a text, int32 (width,)."""
        ops = self._ops
        width = ops.gather(ops.shape_of(self._tokens, "i32"), ops.constant(1, np.int32), 0)
        return ops.range(ops.constant(0, np.int32), width, ops.constant(1, np.int32), "i32")

    def _there(self) -> Any:
        """Whether a place holds a token of its text, bool (batch, width)."""
        return self._ops.less(self._places, self._ops.unsqueeze(self._lengths, [1]))

    def _bias(self) -> Any:
        """What is added to the scores, (batch, 1, 1, width)."""
        zero, masked = self._constant(np.float32(0)), self._constant(np.float32(MASKED))
        return self._ops.unsqueeze(self._ops.select(self._there(), zero, masked), [1, 2])

    def _constant(self, array: Array | np.float32) -> Any:
        return self._ops.constant(array, np.float32)

    def _integers(self, values: list[int]) -> Any:
        return self._ops.constant(values, np.int32)


def _array(variable: Any) -> Array:
    return np.asarray(variable.value, np.float32)
