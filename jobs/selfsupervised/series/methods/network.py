"""A network on patches that adds to ridge regression, and gives quantiles of its own.

The rows of a window in patches are the tokens of a transformer, channel by channel with the same weights (Nie
et al. 2023, PatchTST, https://arxiv.org/abs/2211.14730). It first predicts patches that are masked, then what
ridge regression leaves over; a head sees all tokens, the time of the day, week and year, what is known ahead,
and the forecast of ridge regression. The head begins at zero: before the first step the network is ridge
regression.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from jobs.selfsupervised.networks.blocks import Blocks
from jobs.selfsupervised.networks.fused_blocks import dense, dense_gelu, forward
from jobs.selfsupervised.series.methods.method import Array
from jobs.selfsupervised.series.methods.passes import forecast_loss, read
from jobs.selfsupervised.series.methods.ridge import Ridge
from jobs.selfsupervised.series.methods.times import HARMONICS, PERIODS
from jobs.selfsupervised.series.panel import LEAST_DEVIATION, LEAST_SPREAD
from jobs.selfsupervised.series.spec import TrainSeries
from jobs.training import Batch, Trainable
from jobs.training.draws import fork, philox_uniform
from jobs.transformer.encoder.adamw import AdamW
from jobs.transformer.encoder.dropout import keys
from jobs.transformer.encoder.fused import dropout

#: Hidden numbers of the head, at least.
HEAD = 256
DROPOUT = 0.2
WEIGHT_DECAY = 1e-3
_WARM_UP = 0.05


@dataclass(frozen=True)
class Sizes:
    """What the network's shapes follow from."""

    window: int
    horizon: int
    covariates: int
    levels: tuple[float, ...]

    def patch(self, asked: int | None) -> int:
        """Rows in a token."""
        return min(asked or max(1, round(self.window / 12)), self.window)


class Network(Trainable):
    """Learns from places in a panel: see the module.

    Args:
        spec: sizes, shares, learning rate, seed.
        sizes: of inputs and outputs.
        ridge: what it adds to; its weights do not change.
    """

    def __init__(self, spec: TrainSeries, sizes: Sizes, ridge: Ridge) -> None:
        super().__init__(("loss",), name="network")
        self.spec, self.sizes = spec, sizes
        self.patch = sizes.patch(spec.patch)
        self.count = math.ceil(sizes.window / self.patch)
        self.embed = keras.layers.Dense(spec.width, name="embed")
        self.embed.build((None, self.count, 2 * self.patch))
        self.places = self.add_weight(
            name="places",
            shape=(self.count, spec.width),
            initializer=keras.initializers.RandomNormal(0.0, 0.02),
        )
        self.hidden = self.add_weight(
            name="hidden", shape=(spec.width,), initializer=keras.initializers.RandomNormal(0.0, 0.02)
        )
        self.body = Blocks(1, self.count, spec.width, spec.depth, name="body")
        self.body.build((None, self.count, spec.width))
        self.draw = keras.layers.Dense(self.patch, name="draw")
        self.draw.build((None, self.count, spec.width))
        given = self.count * spec.width + sizes.window + sizes.horizon + sizes.horizon * sizes.covariates
        given += 2 * PERIODS * HARMONICS + 2
        self.first = keras.layers.Dense(max(HEAD, spec.width), name="first")
        self.first.build((None, given))
        self.second = keras.layers.Dense(max(HEAD, spec.width), name="second")
        self.second.build((None, max(HEAD, spec.width)))
        self.last = keras.layers.Dense(
            sizes.horizon * (1 + len(sizes.levels)), kernel_initializer="zeros", name="last"
        )
        self.last.build((None, max(HEAD, spec.width)))
        self.weights_of_ridge = tf.constant(ridge.weights, tf.float32)
        self.intercept = tf.constant(ridge.intercept, tf.float32)
        self.offsets = tf.constant(ridge.offsets, tf.float32)

    def prepare(self, steps: int, filled: Array, seen: Array) -> None:
        """Takes the panel that it learns from, and builds the optimizer for so many steps."""
        self.filled = tf.constant(filled, tf.float32)
        self.seen = tf.constant(seen)
        self.pretraining = int(self.spec.pretrain_share * steps)
        self.warm_up, self.steps = max(1, int(_WARM_UP * steps)), steps
        self.optimizer_of_all = AdamW(self.spec.learning_rate, WEIGHT_DECAY)
        self.optimizer_of_all.build(self.trainable_variables)

    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The one there is."""
        return [self.optimizer_of_all]

    def one_step(self, batch: Batch, step: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """One update: by masked patches at first, then by the forecast."""
        weights = self.trainable_variables
        seed = tf.stack([tf.constant(self.spec.seed, tf.int64), step])
        window, horizon = self.sizes.window, self.sizes.horizon
        numbers, seen, means, deviations, ahead = read(
            self.filled, self.seen, batch["places"], window, horizon
        )

        def masked() -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                loss = self._masked_loss(numbers, seen, seed)
            return [loss, *_gradients(tape, loss, weights)]

        def forecast() -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                found = self.outputs_of(
                    numbers, seen, means, deviations, batch["phases"], batch["known"], fork(seed, 1)
                )
                loss = forecast_loss(found, ahead, deviations, self.sizes.levels)
            return [loss, *_gradients(tape, loss, weights)]

        if self.pretraining:
            loss, *gradients = tf.cond(step < self.pretraining, masked, forecast)
        else:
            loss, *gradients = forecast()
        self.optimizer_of_all.update(gradients, self._share(step))
        return {"loss": loss}

    def _share(self, step: tf.Tensor) -> tf.Tensor:
        """Of the learning rate: rising at first, then falling along a cosine to 0."""
        done = tf.cast(step + 1, tf.float32)
        fallen = (done - self.warm_up) / max(1, self.steps - self.warm_up)
        return tf.where(done < self.warm_up, done / self.warm_up, 0.5 + 0.5 * tf.cos(math.pi * fallen))

    def _patches(self, numbers: tf.Tensor, seen: tf.Tensor) -> tf.Tensor:
        """What is there and whether it is, (batch * patches, 2 * rows)."""
        missing = self.count * self.patch - self.sizes.window
        both = tf.pad(tf.stack([numbers, seen], axis=2), ((0, 0), (missing, 0), (0, 0)))
        return tf.reshape(both, (-1, 2 * self.patch))

    def _masked_loss(self, numbers: tf.Tensor, seen: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Mean squared error of what was seen in masked patches."""
        patches = self._patches(numbers, seen)
        hidden = philox_uniform((numbers.shape[0], self.count), fork(seed, 0)) < self.spec.mask_share
        hidden = tf.reshape(tf.cast(hidden, tf.float32), (-1, 1))
        tokens = dense(self.embed, patches) * (1.0 - hidden) + self.hidden * hidden
        drawn = dense(self.draw, forward(self.body, self._placed(tokens)))
        wanted = tf.reshape(patches, (-1, self.patch, 2))
        errors = tf.square(drawn - wanted[:, :, 0])
        counted = hidden * wanted[:, :, 1]
        return tf.reduce_sum(errors * counted) / tf.maximum(tf.reduce_sum(counted), 1.0)

    def _placed(self, tokens: tf.Tensor) -> tf.Tensor:
        """Tokens (batch * patches, width) with what tells where each is."""
        placed = tf.reshape(tokens, (-1, self.count * self.spec.width)) + tf.reshape(self.places, (-1,))
        return tf.reshape(placed, (-1, self.spec.width))

    def outputs_of(
        self,
        numbers: tf.Tensor,
        seen: tf.Tensor,
        means: tf.Tensor,
        deviations: tf.Tensor,
        clock: tf.Tensor,
        known: tf.Tensor,
        seed: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Forecast and quantiles in deviations of the window, (batch, 1 + levels, horizon).

        Args:
            numbers: normalised windows (batch, window).
            seen: which of them were there, float32.
            means: of the windows (batch, 1).
            deviations: of the windows (batch, 1).
            clock: phases of the clock and the calendar (batch, `PERIODS`), 0 to 1.
            known: what is known ahead (batch, horizon * covariates).
            seed: of the dropout; None for none.
        """
        base = tf.concat([numbers, known], axis=1) @ self.weights_of_ridge + self.intercept
        tokens = forward(self.body, self._placed(dense(self.embed, self._patches(numbers, seen))))
        tokens = tf.reshape(tokens, (-1, self.count * self.spec.width))
        angles = 2.0 * math.pi * clock[:, :, tf.newaxis] * tf.range(1.0, HARMONICS + 1.0)
        angles = tf.reshape(angles, (-1, PERIODS * HARMONICS))
        calendar = [tf.sin(angles), tf.cos(angles)]
        spread = [tf.tanh(means), tf.math.log(deviations)]
        rate, masks = (0.0, [None] * 3) if seed is None else (DROPOUT, keys(seed, 3))
        inputs = [dropout(tokens, masks[0], rate), numbers, base, known, *calendar, *spread]
        inner = dropout(dense_gelu(self.first, tf.concat(inputs, axis=1)), masks[1], rate)
        inner = dropout(inner + dense_gelu(self.second, inner), masks[2], rate)
        added = tf.reshape(dense(self.last, inner), (-1, 1 + len(self.sizes.levels), self.sizes.horizon))
        offsets = tf.concat([tf.zeros((1, self.sizes.horizon)), self.offsets], axis=0)
        widths = (deviations - LEAST_DEVIATION + LEAST_SPREAD) / deviations
        return base[:, tf.newaxis] + added + offsets * widths[:, tf.newaxis]

    @tf.function(autograph=False)
    def computed(self, *given: tf.Tensor) -> tf.Tensor:
        """`outputs_of` without dropout, of a block."""
        return self.outputs_of(*given)


def _gradients(tape: tf.GradientTape, loss: tf.Tensor, weights: list[Any]) -> list[tf.Tensor]:
    """Zero for what has no part in the loss: both branches of a condition have to return the same."""
    found = tape.gradient(loss, weights)
    return [
        tf.zeros_like(weight.value) if gradient is None else tf.convert_to_tensor(gradient)
        for gradient, weight in zip(found, weights, strict=True)
    ]
