"""A network with its head, built from its plan, and the file that it is kept in."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jobs.errors import BadInput
from jobs.transformer.vision.networks.encoder import Transformer
from jobs.transformer.vision.networks.plan import Plan
from jobs.transformer.vision.networks.pretext import Convolutional, Masked
from jobs.transformer.vision.networks.swin import Swin

Array = np.ndarray[Any, Any]

_ENCODERS = {
    "cct": Transformer,
    "vit": Transformer,
    "swin": Swin,
    "masked": Masked,
    "convolutional": Convolutional,
}


class Network(keras.layers.Layer):
    """An encoder and a dense layer on what it makes of an image.

    Args:
        plan: what it is.
        seed: draws its first weights.
    """

    def __init__(self, plan: Plan, seed: int = 0, **keywords: Any) -> None:
        super().__init__(**keywords)
        keras.utils.set_random_seed(seed)
        self.plan = plan
        self.encoder: Any = _ENCODERS[plan.architecture](plan, name="encoder")
        small = keras.initializers.TruncatedNormal(0.0, 0.02)
        self.head = keras.layers.Dense(len(plan.class_names), kernel_initializer=small, name="head")
        self.head.build((None, plan.reads * plan.width))
        self.built = True

    def groups(self) -> list[list[keras.Variable]]:
        """The trainable variables from the input to the output, the head last."""
        return [*self.encoder.groups(), self.head.trainable_variables]

    def logits(
        self,
        images: tf.Tensor,
        kind: tf.DType = tf.float32,
        training: bool = False,
        shares: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Logits, float32 (batch, classes), of images float32 (batch, height, width, channels) in [0, 1].

        Args:
            images: of the size of the plan.
            kind: the type of the activations.
            training: whether batch statistics are those of this batch.
            shares: see `blocks.Stream`.
        """
        features = self.encoder.features(self.standardised(images), kind, training, shares)
        return features @ self.head.kernel.value + self.head.bias.value

    def standardised(self, images: tf.Tensor) -> tf.Tensor:
        """Images as the encoder takes them."""
        return (images - tf.constant(self.plan.mean)) / tf.constant(self.plan.deviation)

    def named(self) -> dict[str, keras.Variable]:
        """All variables by a name that is the same in every process."""
        # Keras's own paths are not unique where layers are built one by one; the numbers are.
        found = enumerate(self.weights)
        return {f"{number:03d}.{each.path.replace('/', '.')}": each for number, each in found}

    def to_bytes(self, data: str = "") -> bytes:
        """Plan and weights as a safetensors file, with the digest of the data set that it was trained on."""
        arrays = {name: np.asarray(tf.identity(each.value)) for name, each in self.named().items()}
        # One entry: of several the order in the file would be another one in each process.
        about = json.dumps({"plan": self.plan.to_json(), "data": data})
        return bytes(save(arrays, {"about": about}))

    @classmethod
    def read(cls, path: Path, whose: str) -> "tuple[Network, str]":
        """The network in a file that `to_bytes` has written, and the digest; no code is loaded.

        Raises:
            BadInput: it is no such file, or damaged.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                about = json.loads(file.metadata()["about"])
                plan, data = Plan.from_json(about["plan"]), str(about["data"])
                arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
            network = cls(plan)
            for name, variable in network.named().items():
                variable.assign(arrays[name])
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"the weights of {whose} cannot be read ({error}); train it again") from error
        return network, data
