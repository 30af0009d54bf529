"""A trained network that computes logits of images, some of them at a time."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import tensorflow as tf

from jobs.pretrained.tokens import Array
from jobs.transformer.bulk.engine import Choice
from jobs.transformer.bulk.openvino import OpenVino
from jobs.transformer.vision.learner import rows_of
from jobs.transformer.vision.networks.network import Network

#: Architectures that are computed in float32 whatever is chosen, as they were trained.
EXACT = ("masked", "convolutional")
#: Images of a call of OpenVINO at most: what lies between its products then stays in the cache of a core.
ROWS = 32


class Engine(Protocol):
    """Computes the logits of images, float32 (rows, classes), of uint8 (rows, height, width, channels).

    Attributes:
        rows: images of a call; each has so many, so that an output depends on its own image alone.
    """

    rows: int

    def run(self, batches: Iterable[Array]) -> Iterator[Array]:
        """The logits of each batch, in their order."""


def engine_of(network: Network, choice: Choice) -> Engine:
    """What computes a network."""
    if choice.library == "openvino":
        return OnOpenVino(network, choice.precision)
    return OnTensorFlow(network, choice.precision)


class OnTensorFlow:
    """The network's own forward pass, wherever TensorFlow runs."""

    def __init__(self, network: Network, precision: str) -> None:
        shape = network.plan.shape
        self.rows = rows_of(shape)
        kind = tf.bfloat16 if precision == "bfloat16" else tf.float32

        @tf.function(input_signature=[tf.TensorSpec((self.rows, *shape), tf.uint8)], autograph=False)
        def forward(images: tf.Tensor) -> tf.Tensor:
            return network.logits(tf.cast(images, tf.float32) / 255.0, kind)

        self._forward = forward

    def run(self, batches: Iterable[Array]) -> Iterator[Array]:
        """See `Engine.run`."""
        for images in batches:
            yield np.asarray(self._forward(tf.constant(images)))


class OnOpenVino:
    """OpenVINO, which computes several batches at once, each in one thread."""

    def __init__(self, network: Network, precision: str) -> None:
        from jobs.transformer.vision.engines.graph import graph_of

        self.rows = min(ROWS, rows_of(network.plan.shape))
        kind = "float32" if network.plan.architecture in EXACT else precision
        self._engine = OpenVino(lambda library: graph_of(library, network, self.rows, kind), kind)

    def run(self, batches: Iterable[Array]) -> Iterator[Array]:
        """See `Engine.run`."""
        return self._engine.run((images,) for images in batches)
