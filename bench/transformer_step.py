"""Training steps with the lean encoder: `python -m bench.transformer_step FOLDER BATCH SECONDS PRECISION`.

The same batches as `bench.torch_transformer` has, padded to a multiple of 8. The last line: examples a
second, the same by processor time, peak memory in MiB, and the seconds before, in which XLA compiles.
"""

import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from bench.tweets import Tweets, timed
from jobs.pretrained.models import load
from jobs.transformer.encoder.adamw import AdamW
from jobs.transformer.encoder.forward import logits_of
from jobs.transformer.encoder.lengths import MULTIPLE


class Training:
    """The model, its optimizer, and one step."""

    def __init__(self, folder: Path, precision: str) -> None:
        self.precision, self.tweets = precision, Tweets(folder / "rows.npz")
        self.loaded = load(folder / "checkpoint", classes=2)
        self.weights = self.loaded.classifier.trainable_variables
        self.adamw = AdamW(5e-5, 0.01)
        self.adamw.build(self.weights)
        self.steps = 0

    def step(self, rows: np.ndarray) -> None:
        """One update by a batch of these rows."""
        tokens = self.tweets.padded(rows, self.tweets.longest(rows, MULTIPLE))
        self.steps += 1
        self._step(
            tf.constant(tokens),
            tf.constant(self.tweets.lengths[rows]),
            tf.constant(self.tweets.labels[rows]),
            tf.constant((0, self.steps), tf.int64),
        ).numpy()

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((2,), tf.int64),
        ]
    )
    def _step(self, tokens: tf.Tensor, lengths: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = logits_of(
                self.loaded.classifier,
                self.loaded.family,
                tokens,
                lengths,
                seed=seed,
                precision=self.precision,
            )
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        self.adamw.update(tape.gradient(loss, [weight.value for weight in self.weights]))
        return loss


def main(folder: Path, batch: int, seconds: float, precision: str) -> None:
    began = time.monotonic()
    training = Training(folder, precision)
    batches = training.tweets.sample(batch)
    widths = {training.tweets.longest(rows, MULTIPLE): rows for rows in batches}
    for rows in widths.values():
        training.step(rows)
    before = time.monotonic() - began
    print(*timed(training.step, batches, seconds), before)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
