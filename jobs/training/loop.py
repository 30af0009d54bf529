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

from jobs.checkpoints.file import Checkpoint, digest_of_spec, digest_of_state
from jobs.context import JobContext
from jobs.spec import JobSpec
from jobs.training import machine
from jobs.training.best import Best
from jobs.training.callbacks import Advance, AtEpochEnd, Judge, Report, Restore, Save, Stop
from jobs.training.divergence import Rollback
from jobs.training.extending import Every, begin_with_weights, checkpoint_to_extend
from jobs.training.ledger import Ledger, of_the_model
from jobs.training.pace import Pace
from jobs.training.passes import RULES_KEY, Passes, Start
from jobs.training.rows import Data, HostRows, fits
from jobs.training.state import restore, snapshot
from jobs.training.trainable import Array, Fed, Order, Trainable, epoch_order


@dataclass(frozen=True)
class Trained:
    """What a training has come to.

    Attributes:
        steps: steps done in all attempts.
        history: each metric's mean by epoch, float32 (epochs,); NaN for an epoch that diverged in its middle.
        judged: each judged metric by epoch, float32 (epochs,); NaN where there was none.
        best_step: steps done at the end of the best epoch; None if none was asked for or judged.
        best_value: what it was judged by.
        best: its variables by name, for `training.state.restore`; None also if its checkpoint was damaged.
        rollbacks: how often it went back to the best weights.
        seconds: time that this attempt trained, compiling included.
        steps_per_second: of this attempt, compiling included; 0 if there was nothing left to train.
        state_sha256: digest of the final state.
        passes: how its epochs went over the rows.
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
    passes: Passes


def train(
    model: Trainable,
    data: Data,
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
    start: Start | None = None,
    every: Every | None = None,
) -> Trained:
    """Trains a model to the end, from the newest checkpoint of the job if there is one.

    Args:
        model: built, with its initial weights, equal in every attempt.
        data: arrays of equal length, or selections of them; a step gets the same `batch_size` rows of each.
            They lie on the device if they fit into a share of the job's memory, and else where they are.
        spec: the job's spec; its seed orders the data, its digest marks the checkpoints.
        context: where reports and checkpoints go, and who asks to stop.
        epochs: passes over the data, by `Passes`: the last step of each is filled up with rows of its first.
        batch_size: rows a step.
        checkpoint_seconds: the longest time between checkpoints; at the end of an epoch, half of it will do.
        jit: whether XLA compiles the loop.
        pace: chooses the length of the chunks.
        at_epoch_end: called with (epochs done, steps done) after each epoch. It may return metrics, which
            join the reports and are kept by epoch, and raise `Diverged`; what it returns must follow from
            the model's state and its arguments alone.
        judged: the names that it may return.
        best: keep the best checkpoint, by one of these metrics.
        on_divergence: whether to fail, or to go on with the best weights and half the learning rate, three
            times at most (`jobs.training.divergence`).
        patience: end after so many epochs without one that is better by `best`.
        order: the rows of an epoch in their order, by (seed, epoch, rows); by default `epoch_order`. It may
            name more or fewer rows than there are; if they fill no whole step, the first come again.
        start: where it begins, if that was looked for already.
        every: at which epochs `at_epoch_end` judges and draws, besides the last; by default at each.

    Raises:
        Diverged: a metric is not finite, or `at_epoch_end` said so, and there is no going back.
        Stopped: asked to stop; the checkpoint is saved.
        DamagedCheckpoint: the checkpoint is of another model.
        BadInput: a rollback is asked for, and a learning rate follows a schedule.
        ValueError: `best` names a metric that is not judged, or what needs a `best` has none.
    """
    _check(judged, best, on_divergence, patience)
    start = start or Start.of(context, spec)
    passes = start.passes(len(next(iter(data.values()))), batch_size)
    passes.tell()
    on_device = fits(data, context.memory)
    model.place(data, passes, on_device)
    model.compile(jit_compile=jit)  # before the state is looked at: it adds a metric
    advance = Advance(passes.steps, epochs)
    ledger = Ledger(epochs, advance.steps_per_epoch, model.metric_names, judged, best, patience)
    rollback = Rollback(model, ledger, advance) if on_divergence == "rollback" else None
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}
    here = {**machine.description(), **model.about()}
    metadata = {**versions, **here, "kind": spec.kind, "spec": digest_of_spec(spec)}
    if start.rules > 1:  # a checkpoint by the first rules stays one that the version before reads as its own
        metadata[RULES_KEY] = str(start.rules)

    def checkpoint() -> Checkpoint:
        best_so_far = None if ledger.best_step == advance.step else ledger.best
        return Checkpoint(advance.step, {**snapshot(model), **ledger.arrays()}, metadata, best_so_far)

    found = start.found or checkpoint_to_extend(start, spec, context, every or Every(), passes, ledger)
    if found is None:
        begin_with_weights(model, spec, context)
    else:
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

        def order_of(epoch: int) -> Array:
            return passes.filled((order or epoch_order)(spec.seed, epoch, passes.rows))

        if on_device:
            rows = None
            model.feed(_chunks(advance, pace, order_of))
        else:
            rows = HostRows(data, passes, order_of, context.memory)
            model.feed(_chunks_with_rows(advance, pace, rows))
        try:
            model.fit(
                tf.data.Dataset.range(advance.total - first).with_options(_options()),
                steps_per_epoch=advance.total - first,  # the most chunks there can be; `Stop` ends it earlier
                callbacks=callbacks,
                shuffle=False,  # the chunks come in order
                verbose=0,
            )
        finally:
            if rows is not None:
                rows.close()
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
        passes=passes,
    )


def _check(judged: Sequence[str], best: Best | None, on_divergence: str, patience: int | None) -> None:
    if best is not None and best.metric not in judged:
        raise ValueError(f"the best checkpoint is asked for by {best.metric!r}, which is not in {judged=}")
    if on_divergence == "rollback" and best is None:
        raise ValueError('on_divergence="rollback" goes back to the best checkpoint: pass best=Best(...)')
    if patience is not None and best is None:
        raise ValueError("patience is counted from the best epoch: pass best=Best(...)")


def _chunks(advance: Advance, pace: Pace, order_of: Callable[[int], Array]) -> Iterator[Fed]:
    """The chunks of the run, none across the end of an epoch; each begins where `advance` is by then."""
    order = None
    while (step := advance.step) < advance.total:
        epoch, position = divmod(step, advance.steps_per_epoch)
        if order is None or position == 0:
            order = tf.constant(order_of(epoch))
        end = min(step + pace.steps, (epoch + 1) * advance.steps_per_epoch)
        yield ((order, tf.constant(step, tf.int64), tf.constant(end, tf.int64)),)


def _chunks_with_rows(advance: Advance, pace: Pace, rows: HostRows) -> Iterator[Fed]:
    """The same, none across the end of a block."""
    while (step := advance.step) < advance.total:
        end = min(step + pace.steps, rows.end(step))
        chunk = rows.places, tf.constant(step, tf.int64), tf.constant(end, tf.int64)
        yield chunk, rows.block(step)


def _options() -> tf.data.Options:
    options = tf.data.Options()
    options.autotune.enabled = False  # its thread can hold up the end of `fit` for seconds
    return options
