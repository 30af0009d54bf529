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
from jobs.transformer.bulk.operations import Operations, array_of

#: Added to the score of what is padding: with it, nothing is left of its weight in any precision.
MASKED = -1e9


class Graph(Operations):
    """Builds the graph of one model.

    Args:
        openvino: the imported library.
        loaded: the model.
        precision: see `Operations`.
    """

    def __init__(self, openvino: Any, loaded: Loaded | LoadedSpans, precision: str) -> None:
        super().__init__(precision)
        self._openvino = openvino
        self._family: str = loaded.family
        self._loaded: Any = loaded
        self._backbone = loaded.backbone
        self._tokens = self.ops.parameter([-1, -1], np.int32, name="tokens")
        self._lengths = self.ops.parameter([-1], np.int32, name="lengths")
        self._places = self._up_to_width()

    def logits(self) -> Any:
        """A model with the logits of a batch, float32 (batch, classes)."""
        blocks = list(self._blocks())
        hidden = self._embedded()
        for number, block in enumerate(blocks):
            hidden = self._block(block, hidden, first_only=number == len(blocks) - 1)
        first = self.ops.squeeze(hidden, [1])  # (batch, hidden)
        classifier = self._loaded.classifier
        dense = self._backbone if self._family in ("bert", "albert") else classifier
        pooled = self.dense(dense.pooled_dense, first)
        activation = {"tanh": self.ops.tanh, "relu": self.ops.relu}[dense.pooled_dense.activation.__name__]
        return self._model(self.head(classifier.output_dense, activation(pooled)))

    def spans(self) -> Any:
        """A model with the logits of each token to begin and to end an answer, float32 (batch, width, 2).

        It takes a third input where the family has segments: the place of the first token of each second
        text, int32 (batch,).
        """
        seconds = self.ops.parameter([-1], np.int32, name="seconds") if segments(self._family) else None
        hidden = self._embedded(seconds)
        for block in self._blocks():
            hidden = self._block(block, hidden)
        return self._model(self.head(self._loaded.head, hidden), *([] if seconds is None else [seconds]))

    def embeddings(self, normalize: bool) -> Any:
        """A model with the mean over each text of its last hidden states, float32 (batch, hidden)."""
        ops = self.ops
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
        ops, backbone = self.ops, self._backbone
        has = segments(self._family)
        position = backbone.position_embedding if has else backbone.embeddings.position_embedding
        places = array_of(position.position_embeddings)
        if has and seconds is None:  # one text, and so one segment
            places = places + array_of(backbone.segment_embedding.embeddings)[0]
        words = ops.gather(self.constant(array_of(backbone.token_embedding.embeddings)), self._tokens, 0)
        summed = ops.add(words, ops.gather(self.constant(places), self._places, 0))
        if seconds is not None:
            number = ops.greater_equal(self._places, ops.unsqueeze(seconds, [1]))  # (batch, width)
            table = self.constant(array_of(backbone.segment_embedding.embeddings))
            summed = ops.add(summed, ops.gather(table, ops.convert(number, "i32"), 0))
        normed = self.norm(backbone.embeddings_layer_norm, summed)
        return self.dense(backbone.embeddings_projection, normed) if self._family == "albert" else normed

    def _block(self, layer: Any, hidden: Any, first_only: bool = False) -> Any:
        """A block; all that it computes, or what its output for the first token depends on."""
        ops, attention = self.ops, layer._self_attention_layer
        asking = ops.gather(hidden, self.integers([0]), 1) if first_only else hidden
        heads = self._backbone.num_heads
        size = self._backbone.hidden_dim // heads
        query, key, value = (
            self.heads(self.dense(dense, given), heads, size)
            for dense, given in (
                (attention.query_dense, asking),
                (attention.key_dense, hidden),
                (attention.value_dense, hidden),
            )
        )
        attended = self.dense(
            attention.output_dense, self.attention(query, key, value, heads, size, self._bias())
        )
        middle = self.norm(layer._self_attention_layer_norm, ops.add(attended, asking))
        inner = self.dense(layer._feedforward_intermediate_dense, middle)
        tangent = FAMILIES[self._family].activation == "gelu_pytorch_tanh"
        outer = self.dense(layer._feedforward_output_dense, self.gelu(inner, tangent))
        return self.norm(layer._feedforward_layer_norm, ops.add(outer, middle))

    def _up_to_width(self) -> Any:
        """The numbers 0, 1 and so on of the places of a text, int32 (width,)."""
        ops = self.ops
        width = ops.gather(ops.shape_of(self._tokens, "i32"), ops.constant(1, np.int32), 0)
        return ops.range(ops.constant(0, np.int32), width, ops.constant(1, np.int32), "i32")

    def _there(self) -> Any:
        """Whether a place holds a token of its text, bool (batch, width)."""
        return self.ops.less(self._places, self.ops.unsqueeze(self._lengths, [1]))

    def _bias(self) -> Any:
        """What is added to the scores, (batch, 1, 1, width)."""
        zero, masked = self.constant(np.float32(0)), self.constant(np.float32(MASKED))
        return self.ops.unsqueeze(self.ops.select(self._there(), zero, masked), [1, 2])
