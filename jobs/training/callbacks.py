"""What happens between two chunks of training: counting, judging, reports, checkpoints, stops."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from jobs.checkpoints.file import Checkpoint
from jobs.context import JobContext, Progress
from jobs.errors import Diverged, Stopped
from jobs.training.ledger import Ledger
from jobs.training.state import restore

AtEpochEnd = Callable[[int, int], Mapping[str, float] | None]

#: At most about two reports a second, however short the epochs.
REPORT_SECONDS = 0.5
#: However long the epochs, somebody who watches sees the numbers move.
LONGEST_SILENCE = 2.0


class Advance(keras.callbacks.Callback):
    """Knows where the training is. Comes first: the other callbacks ask it.

    Attributes:
        step: steps done.
        total: steps in all.
        means: each metric's mean over the epoch so far; at its end, what it was judged by, too.
        judged: whether the epoch was judged just now.
        remark: what happened to the training just now.
    """

    def __init__(self, steps_per_epoch: int, epochs: int) -> None:
        super().__init__()
        self.steps_per_epoch = steps_per_epoch
        self.epochs = epochs
        self.total = steps_per_epoch * epochs
        self.step = 0
        self.means: dict[str, float] = {}
        self.judged = False
        self.remark = ""

    @property
    def epochs_done(self) -> int:
        """Whole epochs done."""
        return self.step // self.steps_per_epoch

    @property
    def at_epoch_end(self) -> bool:
        """Whether an epoch has just ended."""
        return self.step % self.steps_per_epoch == 0

    @property
    def stage(self) -> str:
        """The epoch that the newest step belongs to: `epoch 3/20`."""
        return f"epoch {(self.step - 1) // self.steps_per_epoch + 1}/{self.epochs}"

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Counts."""
        self.step = int(self.model.step.numpy())
        self.means = {name: float(value) for name, value in (logs or {}).items()}
        self.judged, self.remark = False, ""

    def check(self, values: Mapping[str, float]) -> None:
        """Looks at numbers before anything is made of them.

        Raises:
            Diverged: one is not finite.
        """
        for name, value in values.items():
            if not math.isfinite(value):
                raise Diverged(
                    f"training diverged: {name} is {value} in {self.stage}, by step {self.step}; "
                    "a smaller learning rate may help"
                )

    def skip_to_epoch_end(self) -> None:
        """Leaves the rest of the epoch out, and forgets the numbers of what was done of it."""
        if not self.at_epoch_end:
            self.step = (self.epochs_done + 1) * self.steps_per_epoch
        self.means = {name: value for name, value in self.means.items() if math.isfinite(value)}


class Restore(keras.callbacks.Callback):
    """Puts the state back once `fit` has reset the model's metrics, which are part of it."""

    def __init__(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        super().__init__()
        self._state = state

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Puts it back."""
        restore(self.model, self._state)


class Judge(keras.callbacks.Callback):
    """Looks at the numbers after each chunk; at the end of an epoch, enters them and calls back.

    Args:
        advance: where the training is.
        ledger: takes the means and judgements of each epoch, and the best checkpoint.
        at_epoch_end: called with (epochs done, steps done); returns what the epoch is judged by, or nothing.
        checkpoint: makes one.
        rollback: what to do when the training diverged, if it is not to end.
    """

    def __init__(
        self,
        advance: Advance,
        ledger: Ledger,
        at_epoch_end: AtEpochEnd | None,
        checkpoint: Callable[[], Checkpoint],
        rollback: Callable[[Diverged], None] | None,
    ) -> None:
        super().__init__()
        self._advance = advance
        self._ledger = ledger
        self._call = at_epoch_end or (lambda epoch, step: None)
        self._checkpoint = checkpoint
        self._rollback = rollback

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Looks.

        Raises:
            Diverged: a number is not finite, or whoever was called back said so; and there is no going back.
        """
        try:
            self._advance.check(self._advance.means)
            if self._advance.at_epoch_end:
                self._end_epoch()
        except Diverged as diverged:
            if self._rollback is None:
                raise
            self._rollback(diverged)

    def _end_epoch(self) -> None:
        advance, epoch = self._advance, self._advance.epochs_done - 1
        self._ledger.enter(epoch, advance.means)
        judgement = {
            name: float(value) for name, value in (self._call(epoch + 1, advance.step) or {}).items()
        }
        advance.check(judgement)
        advance.means |= judgement
        advance.judged = bool(judgement)
        if self._ledger.judge(epoch, judgement):
            self._ledger.best = self._checkpoint()


class Report(keras.callbacks.Callback):
    """Tells the context how far the training is."""

    def __init__(self, advance: Advance, context: JobContext) -> None:
        super().__init__()
        self._advance = advance
        self._context = context
        self._reported = -math.inf
        self._started: tuple[float, int] | None = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Reports, if it is time to."""
        now, advance = time.monotonic(), self._advance
        # Counted from the end of the first chunk: compiling says nothing about the speed to come.
        self._started = self._started or (now, advance.step)
        silence = now - self._reported
        due = silence >= (REPORT_SECONDS if advance.at_epoch_end else LONGEST_SILENCE)
        # A judgement costs more than a report, and none may be missing in metrics.jsonl.
        if due or advance.judged or advance.remark or advance.step == advance.total:
            self._reported = now
            stage = f"{advance.stage}, {advance.remark}" if advance.remark else advance.stage
            progress = Progress(advance.step, advance.total, stage, advance.means, self._eta(now))
            self._context.report(progress)

    def _eta(self, now: float) -> float | None:
        assert self._started is not None  # noqa: S101 - set by the only caller
        since, first = self._started
        done = self._advance.step - first
        return (self._advance.total - self._advance.step) * (now - since) / done if done else None


class Save(keras.callbacks.Callback):
    """Saves a checkpoint now and then, in the background, at the end of an epoch where one is near.

    One is due after `seconds`; at the end of an epoch after half of them, if the next end would be too late.
    """

    def __init__(
        self, advance: Advance, checkpoint: Callable[[], Checkpoint], context: JobContext, seconds: float
    ) -> None:
        super().__init__()
        self._advance = advance
        self._checkpoint = checkpoint
        self._context = context
        self._seconds = seconds
        self._saved = self._epoch_began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves, if it is time to and the one before is done."""
        if self._due(time.monotonic()) and not self._context.checkpoint_in_flight():
            self._context.save_checkpoint(self._checkpoint())
            self._saved = time.monotonic()

    def _due(self, now: float) -> bool:
        passed = now - self._saved
        if not self._advance.at_epoch_end:
            return passed >= self._seconds
        epoch, self._epoch_began = now - self._epoch_began, now
        # Of short epochs there is always a later one in time, so that they cost no more than the interval.
        return passed + epoch > self._seconds and passed >= self._seconds / 2


class Stop(keras.callbacks.Callback):
    """Ends the training: at its end, when it gets no better, or when it is asked to."""

    def __init__(
        self, advance: Advance, ledger: Ledger, checkpoint: Callable[[], Checkpoint], context: JobContext
    ) -> None:
        super().__init__()
        self._advance = advance
        self._ledger = ledger
        self._checkpoint = checkpoint
        self._context = context

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends `fit`, if the end is reached.

        Raises:
            Stopped: the context asked for it; the checkpoint is saved.
        """
        if self._advance.step == self._advance.total or self._ledger.out_of_patience:
            self.model.stop_training = True
        elif (reason := self._context.should_stop()) is not None:
            self._context.save_checkpoint(self._checkpoint())
            raise Stopped(f"stopped at step {self._advance.step} of {self._advance.total}: {reason}")
