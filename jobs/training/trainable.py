"""A model that trains by one step of its mathematics, many of them in one compiled call."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.training.passes import Passes
from jobs.training.rows import Block, Data

Array = np.ndarray[Any, Any]
Batch = Mapping[str, tf.Tensor]
#: The epoch's order of the data, int32 (rows of its steps,); first step and end, int64 ().
Chunk = tuple[tf.Tensor, tf.Tensor, tf.Tensor]
#: A chunk, with the block of rows that its steps take if they do not lie on the device: then the order is
#: that of the rows in their blocks.
Fed = tuple[Chunk] | tuple[Chunk, Block]
#: The order of the rows in an epoch, int32 (count,), from (seed, epoch, count) and nothing else.
Order = Callable[[int, int, int], Array]


class Trainable(keras.Model):
    """A model that trains by `one_step`. Subclasses build all their variables in `__init__`.

    Args:
        metric_names: what `one_step` returns.
    """

    def __init__(self, metric_names: tuple[str, ...], **keywords: Any) -> None:
        super().__init__(**keywords)
        self.metric_names = metric_names
        self.built = True
        self.step = self.add_weight(
            name="step", shape=(), dtype="int64", initializer="zeros", trainable=False
        )
        self.sums = self.add_weight(
            name="sums", shape=(len(metric_names),), dtype="float32", initializer="zeros", trainable=False
        )

    def one_step(self, batch: Batch, step: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """One update of the weights; runs inside the compiled loop.

        AutoGraph does not translate it: what depends on a tensor is written with `tf.cond` and
        `tf.while_loop`, not with Python's `if` and `for`.

        Args:
            batch: the batch's rows of each array of the data, by the array's name.
            step: int64 (), the number of the step; with the seed, the source of every random draw.

        Returns:
            A float32 () for each of `metric_names`.
        """
        raise NotImplementedError

    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The optimizers, built, in an order that never changes."""
        raise NotImplementedError

    def about(self) -> Mapping[str, str]:
        """What else the last bits of its training depend on, for the metadata of checkpoints."""
        return {}

    def place(self, data: Data, passes: Passes, on_device: bool = True) -> None:
        """Puts the data on the device, unless it comes in blocks; each step gathers its batch by index."""
        placed = data if on_device else {}
        self._data = {name: tf.constant(np.asarray(array)) for name, array in placed.items()}
        self._batch_size = passes.batch_size
        self._steps_per_epoch = passes.steps

    def feed(self, chunks: Iterator[Fed]) -> None:
        """Sets where `fit` takes its chunks from."""
        self._chunks = chunks

    def make_train_function(self, force: bool = False) -> None:
        """Keras's, but without tf.data, which `fit` only counts with.

        A dataset of chunks from a Python generator took a third of the classic GAN's speed on two cores: 330
        steps/s in place of 500.
        """
        step = tf.function(self.train_step, jit_compile=self.jit_compile, autograph=False)
        self.train_function = lambda _: step(*next(self._chunks))

    def train_step(self, chunk: Chunk, block: Block | None = None) -> dict[str, tf.Tensor]:
        """Runs the steps of one chunk.

        Args:
            chunk: the epoch's order of the data, int32 (rows of its steps,); first step and end, int64 ().
            block: has the rows, if they do not lie on the device; the order is that of its rows.

        Returns:
            Each metric's mean over the epoch so far.
        """
        order, first, end = chunk
        # The number of steps is data, not part of the program: a shorter chunk compiles nothing anew.
        _, sums = tf.while_loop(
            lambda step, _: step < end,
            lambda step, sums: (step + 1, self.stepped(order, step, sums, block)),
            (first, self.sums.value),
        )
        return self.entered(sums, end)

    def stepped(
        self, order: tf.Tensor, step: tf.Tensor, sums: tf.Tensor, block: Block | None = None
    ) -> tf.Tensor:
        """Does one step; returns the metrics summed over the epoch so far, float32 (metrics,)."""
        begin = tf.cast(step % self._steps_per_epoch, tf.int32) * self._batch_size
        rows = tf.slice(order, [begin], [self._batch_size])
        data = self._data if block is None else block
        batch = {name: tf.gather(array, rows) for name, array in data.items()}
        metrics = self.one_step(batch, step)
        values = tf.stack([tf.cast(metrics[name], tf.float32) for name in self.metric_names])
        return tf.where(begin == 0, values, sums + values)

    def entered(self, sums: tf.Tensor, end: tf.Tensor) -> dict[str, tf.Tensor]:
        """Makes the sums at the end of a chunk part of the state; returns each metric's mean."""
        self.sums.assign(sums)
        self.step.assign(end)
        count = tf.cast((end - 1) % self._steps_per_epoch + 1, tf.float32)
        return {name: sums[number] / count for number, name in enumerate(self.metric_names)}


def epoch_order(seed: int, epoch: int, count: int) -> Array:
    """The order of the data in an epoch, int32 (count,): a function of its arguments and nothing else."""
    philox = np.random.Philox(key=np.array([seed, epoch], dtype=np.uint64))
    return np.random.Generator(philox).permutation(count).astype(np.int32)
