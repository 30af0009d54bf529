"""What computes a trained model's outputs for many texts: OpenVINO on a CPU, or TensorFlow."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from jobs.errors import BadInput
from jobs.pretrained.models import Loaded, segments, set_epsilon
from jobs.pretrained.spans import LoadedSpans
from jobs.pretrained.tokens import Array
from jobs.training import machine
from jobs.transformer.bulk.inference import Forward, batch_of, embeddings_of, frozen, logits_of
from jobs.transformer.bulk.openvino_graph import Graph
from jobs.transformer.bulk.quantising import INT8
from jobs.transformer.encoder.forward import span_logits_of

#: Tokens int32 (batch, width), padded, and how many each text has, int32 (batch,); of two texts in a row, in
#: families with segments, the place of the second's first token, int32 (batch,).
Batch = tuple[Array, ...]


class Engine(Protocol):
    """Computes float32 (batch, n) for each batch: logits, or embeddings; of spans (batch, width, 2)."""

    def run(self, batches: Iterable[Batch]) -> Iterator[Array]:
        """The outputs of the batches, in their order. A batch's output depends on that batch alone."""


@dataclass(frozen=True)
class Choice:
    """Which engine, and what it multiplies in; a result's last bits depend on it.

    Attributes:
        library: `openvino` or `tensorflow`.
        precision: `float32`, `bfloat16` or, of OpenVINO, `int8`.
    """

    library: str
    precision: str

    @classmethod
    def of(cls, library: str = "auto", precision: str = "auto") -> "Choice":
        """What is best here, where it is not said.

        Raises:
            BadInput: OpenVINO was asked for, or 8 bits were, and it is not installed.
        """
        if library == "auto":
            on_cpu = not tf.config.list_physical_devices("GPU")
            library = "openvino" if on_cpu and has_openvino() else "tensorflow"
        if library == "openvino" and not has_openvino():
            raise BadInput(
                "engine='openvino' needs the package openvino, which is not installed here: pip install "
                "openvino, or choose engine='tensorflow'"
            )
        if precision == INT8:
            if library == "openvino":
                return cls(library, precision)
            raise BadInput(
                "precision='int8' needs a CPU and the package openvino, and this worker would use "
                "TensorFlow: pip install openvino, name a pool of CPUs, or choose precision='bfloat16'"
            )
        if library == "openvino" and precision == "bfloat16":
            precision = "auto"  # it falls back to float32 where the processor has none; say so then
        return cls(library, machine.precision(precision))

    def __str__(self) -> str:
        return f"{self.library} {version(self.library)}, {self.precision}"


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    return find_spec("openvino") is not None


def classifying(loaded: Loaded, choice: Choice) -> Engine:
    """Computes logits, float32 (batch, classes)."""
    if choice.library == "openvino":
        return _openvino(choice, lambda library: Graph(library, loaded, choice.precision).logits())
    return TensorFlow(logits_of(_in_precision(loaded, choice)))


def embedding(loaded: Loaded, normalize: bool, choice: Choice) -> Engine:
    """Computes mean-pooled embeddings, float32 (batch, hidden)."""
    if choice.library == "openvino":
        return _openvino(
            choice, lambda library: Graph(library, loaded, choice.precision).embeddings(normalize)
        )
    return TensorFlow(embeddings_of(_in_precision(loaded, choice), normalize))


def spanning(loaded: LoadedSpans, choice: Choice) -> Engine:
    """Computes the logits of each token to begin and to end an answer, float32 (batch, width, 2)."""
    if choice.library == "openvino":
        return _openvino(choice, lambda library: Graph(library, loaded, choice.precision).spans())
    return TensorFlowSpans(loaded, choice.precision)


def _openvino(choice: Choice, build: Callable[[Any], Any]) -> Engine:
    from jobs.transformer.bulk.openvino import OpenVino

    return OpenVino(build, choice.precision)


class TensorFlow:
    """The plain graph, wherever TensorFlow runs."""

    def __init__(self, forward: Forward) -> None:
        self._forward = frozen(forward)

    def run(self, batches: Iterable[Batch]) -> Iterator[Array]:
        """See `Engine.run`."""
        for tokens, lengths in batches:
            yield np.asarray(self._forward(*batch_of(tokens, lengths)))


class TensorFlowSpans:
    """The lean forward pass of `jobs.transformer.encoder`, wherever TensorFlow runs.

    Args:
        loaded: the model.
        precision: `float32` or `bfloat16`.
    """

    def __init__(self, loaded: LoadedSpans, precision: str) -> None:
        self._loaded, self._precision = loaded, precision
        count = 2 if segments(loaded.family) else 1
        signature = [tf.TensorSpec((None, None), tf.int32), *[tf.TensorSpec((None,), tf.int32)] * count]
        self._forward = tf.function(self._logits, input_signature=signature, autograph=False)

    def run(self, batches: Iterable[Batch]) -> Iterator[Array]:
        """See `Engine.run`."""
        for batch in batches:
            yield np.asarray(self._forward(*(tf.constant(each, tf.int32) for each in batch)))

    def _logits(self, tokens: tf.Tensor, lengths: tf.Tensor, seconds: tf.Tensor = None) -> tf.Tensor:
        loaded = self._loaded
        family, precision = loaded.family, self._precision
        seconds = lengths if seconds is None else seconds  # what no family without segments looks at
        return span_logits_of(
            loaded.backbone, loaded.head, family, tokens, lengths, seconds, precision=precision
        )


def _in_precision(loaded: Loaded, choice: Choice) -> Loaded:
    """The same weights, multiplied in what was chosen."""
    if choice.precision == "float32":
        return loaded
    classifier = loaded.classifier
    config = classifier.backbone.get_config() | {"dtype": "mixed_bfloat16"}
    backbone = type(classifier.backbone).from_config(config)
    classes = int(classifier.output.shape[-1])
    copy: keras.Model = type(classifier)(backbone=backbone, num_classes=classes, preprocessor=None)
    copy.set_weights(classifier.get_weights())
    set_epsilon(loaded.family, backbone, classifier.backbone.embeddings_layer_norm.epsilon)
    return Loaded(loaded.family, copy, loaded.has_head)
