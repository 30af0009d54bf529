"""The one resumable training loop: Keras's `fit`, many steps a call, exact when it goes on.

A family writes a `Trainable` with one step of its mathematics; `train` does the rest. Keras sees the whole
run as one epoch whose batches are chunks: some tens or hundreds of training steps inside one compiled
call. Where the chunks are cut depends on the machine and on when it was interrupted, and changes no bit of
the result: data order and random draws follow from (seed, step) alone, and every other number is state.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from jobs import machine
from jobs.best import Best
from jobs.callbacks import Advance, AtEpochEnd, Judge, Report, Restore, Save, Stop
from jobs.checkpoint import Checkpoint, digest_of_spec, digest_of_state
from jobs.context import JobContext
from jobs.divergence import Rollback
from jobs.ledger import Ledger, of_the_model
from jobs.pace import Pace
from jobs.spec import JobSpec
from jobs.state import restore, snapshot

Array = np.ndarray[Any, Any]
Batch = Mapping[str, tf.Tensor]
#: The epoch's order of the data, int32 (count,); first step and end, int64 ().
Chunk = tuple[tf.Tensor, tf.Tensor, tf.Tensor]
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

    def place(self, data: Mapping[str, Array], batch_size: int) -> None:
        """Puts the data on the device, where each step gathers its batch by index."""
        self._data = {name: tf.constant(array) for name, array in data.items()}
        self._batch_size = batch_size
        self._steps_per_epoch = len(next(iter(data.values()))) // batch_size

    def feed(self, chunks: Iterator[Chunk]) -> None:
        """Sets where `fit` takes its chunks from."""
        self._chunks = chunks

    def make_train_function(self, force: bool = False) -> None:
        """Keras's, but without tf.data, which `fit` only counts with.

        A dataset of chunks from a Python generator took a third of the classic GAN's speed on two cores: 330
        steps/s in place of 500.
        """
        step = tf.function(self.train_step, jit_compile=self.jit_compile)
        self.train_function = lambda _: step(next(self._chunks))

    def train_step(self, chunk: Chunk) -> dict[str, tf.Tensor]:
        """Runs the steps of one chunk.

        Args:
            chunk: the epoch's order of the data, int32 (count,); first step and end, int64 ().

        Returns:
            Each metric's mean over the epoch so far.
        """
        order, first, end = chunk
        # The number of steps is data, not part of the program: a shorter chunk compiles nothing anew.
        _, sums = tf.while_loop(
            lambda step, _: step < end,
            lambda step, sums: (step + 1, self.stepped(order, step, sums)),
            (first, self.sums.value),
        )
        return self.entered(sums, end)

    def stepped(self, order: tf.Tensor, step: tf.Tensor, sums: tf.Tensor) -> tf.Tensor:
        """Does one step; returns the metrics summed over the epoch so far, float32 (metrics,)."""
        begin = tf.cast(step % self._steps_per_epoch, tf.int32) * self._batch_size
        rows = tf.slice(order, [begin], [self._batch_size])
        batch = {name: tf.gather(array, rows) for name, array in self._data.items()}
        metrics = self.one_step(batch, step)
        values = tf.stack([tf.cast(metrics[name], tf.float32) for name in self.metric_names])
        return tf.where(begin == 0, values, sums + values)

    def entered(self, sums: tf.Tensor, end: tf.Tensor) -> dict[str, tf.Tensor]:
        """Makes the sums at the end of a chunk part of the state; returns each metric's mean."""
        self.sums.assign(sums)
        self.step.assign(end)
        count = tf.cast((end - 1) % self._steps_per_epoch + 1, tf.float32)
        return {name: sums[number] / count for number, name in enumerate(self.metric_names)}


@dataclass(frozen=True)
class Trained:
    """What a training has come to.

    Attributes:
        steps: steps done in all attempts.
        history: each metric's mean by epoch, float32 (epochs,); NaN for an epoch that diverged in its middle.
        judged: each judged metric by epoch, float32 (epochs,); NaN where there was none.
        best_step: steps done at the end of the best epoch; None if none was asked for or judged.
        best_value: what it was judged by.
        best: its variables by name, for `jobs.state.restore`; None also if its checkpoint was damaged.
        rollbacks: how often it went back to the best weights.
        seconds: time that this attempt trained, compiling included.
        steps_per_second: of this attempt, compiling included; 0 if there was nothing left to train.
        state_sha256: digest of the final state.
    """

    steps: int
    history: Mapping[str, Array]
    judged: Mapping[str, Array]
    best_step: int | None
    best_value: float | None
    best: Mapping[str, Array] | None
    rollbacks: int
    seconds: float
    steps_per_second: float
    state_sha256: str


def epoch_order(seed: int, epoch: int, count: int) -> Array:
    """The order of the data in an epoch, int32 (count,): a function of its arguments and nothing else."""
    philox = np.random.Philox(key=np.array([seed, epoch], dtype=np.uint64))
    return np.random.Generator(philox).permutation(count).astype(np.int32)


def train(
    model: Trainable,
    data: Mapping[str, Array],
    spec: JobSpec[Any],
    context: JobContext,
    *,
    epochs: int,
    batch_size: int,
    checkpoint_seconds: float = 30,
    jit: bool = True,
    pace: Pace | None = None,
    at_epoch_end: AtEpochEnd | None = None,
    judged: Sequence[str] = (),
    best: Best | None = None,
    on_divergence: Literal["fail", "rollback"] = "fail",
    patience: int | None = None,
    order: Order | None = None,
) -> Trained:
    """Trains a model to the end, from the newest checkpoint of the job if there is one.

    Args:
        model: built, with its initial weights, equal in every attempt.
        data: arrays of equal length; a step gets the same `batch_size` rows of each.
        spec: the job's spec; its seed orders the data, its digest marks the checkpoints.
        context: where reports and checkpoints go, and who asks to stop.
        epochs: passes over the data; rows left over by the batch size sit an epoch out.
        batch_size: rows a step, at most the length of the data.
        checkpoint_seconds: the longest time between checkpoints; at the end of an epoch, half of it will do.
        jit: whether XLA compiles the loop.
        pace: chooses the length of the chunks.
        at_epoch_end: called with (epochs done, steps done) after each epoch. It may return metrics, which
            join the reports and are kept by epoch, and raise `Diverged`; what it returns must follow from
            the model's state and its arguments alone.
        judged: the names that it may return.
        best: keep the best checkpoint, by one of these metrics.
        on_divergence: whether to fail, or to go on with the best weights and half the learning rate, three
            times at most (`jobs.divergence`).
        patience: end after so many epochs without one that is better by `best`.
        order: the rows of an epoch in their order, by (seed, epoch, rows); by default `epoch_order`. It may
            name fewer rows than there are, but fills every step.

    Raises:
        Diverged: a metric is not finite, or `at_epoch_end` said so, and there is no going back.
        Stopped: asked to stop; the checkpoint is saved.
        DamagedCheckpoint: the checkpoint is of another model.
        BadInput: a rollback is asked for, and a learning rate follows a schedule.
        ValueError: `best` names a metric that is not judged, or what needs a `best` has none.
    """
    _check(judged, best, on_divergence, patience)
    model.place(data, batch_size)
    model.compile(jit_compile=jit)  # before the state is looked at: it adds a metric
    count = len(next(iter(data.values())))
    advance = Advance(count // batch_size, epochs)
    ledger = Ledger(epochs, advance.steps_per_epoch, model.metric_names, judged, best, patience)
    rollback = Rollback(model, ledger, advance) if on_divergence == "rollback" else None
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}
    here = {**machine.description(), **model.about()}
    metadata = {**versions, **here, "kind": spec.kind, "spec": digest_of_spec(spec)}

    def checkpoint() -> Checkpoint:
        best_so_far = None if ledger.best_step == advance.step else ledger.best
        return Checkpoint(advance.step, {**snapshot(model), **ledger.arrays()}, metadata, best_so_far)

    found = context.load_checkpoint()
    if found is not None:
        machine.warn_if_unlike(found.metadata, here)
        ledger.restore(found)
        restore(model, of_the_model(found.arrays))
        advance.step = found.step
    first, started = advance.step, time.monotonic()
    if first < advance.total and not ledger.out_of_patience:
        pace = pace or Pace()
        callbacks = [
            pace,
            advance,
            Judge(advance, ledger, at_epoch_end, checkpoint, rollback),
            Report(advance, context),
            Save(advance, checkpoint, context, checkpoint_seconds),
            Stop(advance, ledger, checkpoint, context),
        ]
        if found is not None:
            callbacks.append(Restore(of_the_model(found.arrays)))
        model.feed(_chunks(advance, pace, spec.seed, count, order or epoch_order))
        model.fit(
            tf.data.Dataset.range(advance.total - first).with_options(_options()),
            steps_per_epoch=advance.total - first,  # the most chunks there can be; `Stop` ends it earlier
            callbacks=callbacks,
            shuffle=False,  # the chunks come in order
            verbose=0,
        )
        context.save_checkpoint(checkpoint())
    seconds = time.monotonic() - started
    history, judgements = ledger.by_name()
    return Trained(
        steps=advance.step,
        history=history,
        judged=judgements,
        best_step=ledger.best_step,
        best_value=ledger.best_value,
        best=None if ledger.best is None else of_the_model(ledger.best.arrays),
        rollbacks=ledger.rollbacks,
        seconds=seconds,
        steps_per_second=(advance.step - first) / seconds if advance.step > first else 0.0,
        state_sha256=digest_of_state(checkpoint().arrays),
    )


def _check(judged: Sequence[str], best: Best | None, on_divergence: str, patience: int | None) -> None:
    if best is not None and best.metric not in judged:
        raise ValueError(f"the best checkpoint is asked for by {best.metric!r}, which is not in {judged=}")
    if on_divergence == "rollback" and best is None:
        raise ValueError('on_divergence="rollback" goes back to the best checkpoint: pass best=Best(...)')
    if patience is not None and best is None:
        raise ValueError("patience is counted from the best epoch: pass best=Best(...)")


def _chunks(advance: Advance, pace: Pace, seed: int, count: int, order_of: Order) -> Iterator[Chunk]:
    """The chunks of the run, none across the end of an epoch; each begins where `advance` is by then."""
    order = None
    while (step := advance.step) < advance.total:
        epoch, position = divmod(step, advance.steps_per_epoch)
        if order is None or position == 0:
            order = tf.constant(order_of(seed, epoch, count))
        end = min(step + pace.steps, (epoch + 1) * advance.steps_per_epoch)
        yield order, tf.constant(step, tf.int64), tf.constant(end, tf.int64)


def _options() -> tf.data.Options:
    options = tf.data.Options()
    options.autotune.enabled = False  # its thread can hold up the end of `fit` for seconds
    return options
