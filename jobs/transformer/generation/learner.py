"""A decoder in training: one step on rows of tokens, each told by those before it."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.training import Batch, Chunk, Trainable, machine
from jobs.training.rows import Block
from jobs.transformer.decoder.folders import Decoder
from jobs.transformer.decoder.generating import KINDS
from jobs.transformer.decoder.layout import Array
from jobs.transformer.encoder.adamw import AdamW
from jobs.transformer.encoder.muon import Muon
from jobs.transformer.generation.rows import Teller
from jobs.transformer.generation.spec import TrainGeneration

#: Products that have an adapter.
ADAPTED = ("qkv", "out", "up", "down")
#: What the second moment of AdamW keeps in a step.
_BETA_2 = 0.95


class Learner(Trainable):
    """A decoder, or adapters of low rank on one (Hu et al., 2021, https://arxiv.org/abs/2106.09685).

    An adapter adds x A B to a product x W (equation 3 of the paper); B begins at zero, A is normal with
    variance 1 / inputs, and no factor stands before them. Muon or AdamW trains.

    Args:
        spec: of the training.
        decoder: with the weights to begin with.
        steps: of the whole training.
    """

    def __init__(self, spec: TrainGeneration, decoder: Decoder, steps: int) -> None:
        super().__init__(("loss",), name="generation")
        self.layout = decoder.layout
        self.precision = machine.precision(spec.precision)
        self.kind = KINDS[self.precision]
        self._steps, self._warmup = steps, math.ceil(spec.warmup * steps)
        self._learnt: dict[str, keras.Variable] = {}
        self._kept: dict[str, tf.Tensor] = {}
        if spec.adapters is None:
            for name, array in decoder.weights.items():
                self._learnt[name] = self._variable(name, array)
        else:
            self._kept = {
                name: tf.constant(array, self.kind if array.ndim > 1 else tf.float32)
                for name, array in decoder.weights.items()
            }
            for name, array in _adapters(decoder, spec.adapters, spec.seed).items():
                self._learnt[name] = self._variable(name, array)
        self.teller = Teller(self.layout, self.weights_by_name, self.kind)
        clip = spec.clip_norm or None
        made = Muon if spec.muon else AdamW
        self.optimizer_ = made(spec.rate, spec.weight_decay, beta_2=_BETA_2, clip_norm=clip)
        self.optimizer_.build(list(self._learnt.values()))

    def _variable(self, name: str, array: Array) -> keras.Variable:
        last = name.rpartition("/")[2]
        called = "table" if last in ("embedding", "positions", "output") else "kernel"
        if array.ndim == 1:
            called = "bias" if last.endswith("bias") else "gamma"
        variable = self.add_weight(name=called, shape=array.shape, dtype="float32", initializer="zeros")
        variable.assign(array)
        return variable

    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The one there is."""
        return [self.optimizer_]

    def about(self) -> Mapping[str, str]:
        """See `Trainable.about`."""
        return {"precision": self.precision}

    def train_step(self, chunk: Chunk, block: Block | None = None) -> dict[str, tf.Tensor]:
        """Does one step, however long the chunk: it takes so long that a loop in the graph saves nothing."""
        order, first, _ = chunk
        return self.entered(self.stepped(order, first, self.sums.value, block), first + 1)

    def one_step(self, batch: Batch, step: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """One update by the mean cross-entropy of the tokens that are to be told.

        Args:
            batch: `tokens` (batch, width + 1), `first` and `end` int32 (batch,).
            step: int64 (), the number of the step.
        """
        values = [variable.value for variable in self._learnt.values()]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            losses, there = self.teller.nats(batch["tokens"], batch["first"], batch["end"])
            loss = tf.reduce_sum(losses) / tf.maximum(tf.reduce_sum(there), 1.0)
        self.optimizer_.update(tape.gradient(loss, values), self._share(step))
        return {"loss": loss}

    def weights_by_name(self) -> Mapping[str, Any]:
        """All weights, those of adapters included, by the names that the forward pass knows."""
        return self._kept | {name: variable.value for name, variable in self._learnt.items()}

    def adapters(self) -> dict[str, Array]:
        """What was trained, float32 by name."""
        return {name: np.asarray(variable.value) for name, variable in self._learnt.items()}

    def decoder(self, begun: Decoder) -> Decoder:
        """The decoder as it is by now, adapters merged into the weights that they were added to.

        Args:
            begun: what it began with.
        """
        if not self._kept:
            return Decoder(self.layout, self.adapters())
        learnt, merged = self.adapters(), dict(begun.weights)
        for name in learnt:
            if name.endswith("_low"):
                kernel = name.removesuffix("_low")
                merged[kernel] = merged[kernel] + learnt[name] @ learnt[f"{kernel}_high"]
        return Decoder(self.layout, merged)

    def _share(self, step: tf.Tensor) -> tf.Tensor:
        """Of the learning rate: one cycle (Smith and Topin, 2019), up in the warm-up, then down to 0."""
        done = tf.cast(step, tf.float32)
        rising = (done + 1.0) / max(self._warmup, 1)
        falling = (self._steps - done) / max(self._steps - self._warmup, 1)
        return tf.where(done < self._warmup, rising, falling)


def _adapters(decoder: Decoder, rank: int, seed: int) -> dict[str, Array]:
    """Fresh adapters of all products, by the names that the forward pass looks for."""
    found: dict[str, Array] = {}
    for number, (name, array) in enumerate(decoder.weights.items()):
        if name.rpartition("/")[2] not in ADAPTED:
            continue
        inputs, outputs = array.shape
        draws = np.random.Generator(np.random.Philox(key=np.array([seed, 2**42 + number], np.uint64)))
        found[f"{name}_low"] = (draws.standard_normal((inputs, rank)) / math.sqrt(inputs)).astype(np.float32)
        found[f"{name}_high"] = np.zeros((rank, outputs), np.float32)
    return found
