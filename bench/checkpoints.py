"""What checkpoints cost: in training time, in time that one save blocks, and in speed to the store.

    python -m bench.checkpoints

trains the GAN and a dense model of 100 million parameters with Adam through the real loop, with a worker's
context and an S3 server, in windows of training in turn with and without one save; the second needs 6 GB.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf

from bench.stack import running_stack
from jobs.checkpoint import Checkpoint
from jobs.context import Progress, StopReason
from jobs.datasets import named
from jobs.errors import Stopped
from jobs.gan.models import Gan
from jobs.gan.spec import TrainGan
from jobs.keeping import CheckpointName
from jobs.state import snapshot
from jobs.training import Trainable, train
from worker.context import _LONG_SAVE, _LONGEST_REST, _REST, WorkerContext
from worker.runner import SWITCH_SECONDS
from worker.runners import Assignment

#: Between two checkpoints, as jobs have it unless told otherwise.
INTERVAL = 30.0
SPEC = TrainGan(dataset="mnist-5k", epochs=100_000)


@dataclass
class Save:
    """One save: when it began, how long training stood still for it, and when it was in the store."""

    began: float
    blocked: float = 0.0
    ended: float = 0.0


class Metered(WorkerContext):
    """A worker's context that saves once in every second window of training, and takes the times."""

    windows = 6
    seconds = 30.0

    def __init__(self, folder: Path) -> None:
        super().__init__(Assignment("0" * 16, 1, SPEC.to_wire(), {}), folder)
        self.model: Trainable | None = None
        self.saves: list[Save] = []
        self.rates: tuple[list[float], list[float]] = ([], [])  #: steps a second without and with a save
        self._window = 0
        self._first: tuple[float, int] | None = None
        self._due = False

    def report(self, progress: Progress) -> None:
        """Not measured: reports have no part in what checkpoints cost."""

    def should_stop(self) -> StopReason | None:
        """Ends a window when its time is up and its save is done."""
        assert self.model is not None
        now, step = time.monotonic(), int(self.model.step.numpy())
        if self._first is None:  # the first chunk compiles
            self._first = (now, step)
            return None
        began, first = self._first
        if now - began < self.seconds or self._saving.is_set():
            return None
        with_save = self._window % 2
        self.rates[with_save].append((step - first) / (now - began))
        said = "with" if with_save else "without"
        print(f"  {said} a save: {self.rates[with_save][-1]:.2f} steps/s", flush=True)
        self._window += 1
        self._first, self._due = (now, step), self._window % 2 == 1
        return StopReason.CANCEL if self._window == self.windows else None

    def checkpoint_in_flight(self) -> bool:
        """Lets the loop save once in a window that has a save."""
        if not self._due:
            return True
        self._due = False
        self.saves.append(Save(time.monotonic()))
        return False

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Takes the time for which training stands still, the snapshot included."""
        if self._window == self.windows:
            self.saves.append(Save(time.monotonic()))  # the last one, with no training beside it
        super().save_checkpoint(checkpoint)
        self.saves[-1].blocked = time.monotonic() - self.saves[-1].began

    def _store_checkpoints(self, writes: Sequence[tuple[CheckpointName, Checkpoint]]) -> None:
        super()._store_checkpoints(writes)
        self.saves[-1].ended = time.monotonic()


class Dense(Trainable):
    """A classifier of 100 million parameters with Adam: a state of 1.2 GB."""

    def __init__(self, width: int = 6900) -> None:
        super().__init__(("loss",), name="dense")
        inputs = keras.Input((784,))
        hidden = inputs
        for _ in range(3):
            hidden = keras.layers.Dense(width, activation="relu")(hidden)
        self.network = keras.Model(inputs, keras.layers.Dense(10)(hidden))
        self.adam = keras.optimizers.Adam(1e-4)
        self.adam.build(self.network.trainable_variables)

    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """Adam."""
        return [self.adam]

    def one_step(self, batch: Any, step: Any) -> Any:
        """One update."""
        weights = self.network.trainable_variables
        with tf.GradientTape() as tape:
            logits = self.network(batch["images"])
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["labels"], logits)
            loss = tf.reduce_mean(losses)
        self.adam.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


def dense() -> tuple[Trainable, dict[str, Any], int]:
    random = np.random.default_rng(0)
    images = random.standard_normal((512, 784), dtype=np.float32)
    return Dense(), {"images": images, "labels": random.integers(0, 10, 512).astype(np.int32)}, 32


def gan() -> tuple[Trainable, dict[str, Any], int]:
    data = named.load(SPEC.dataset)
    return Gan(SPEC, data.shape), {"images": data.images}, SPEC.batch_size


def measure(name: str, build: Any, windows: int, seconds: float) -> None:
    print(f"{name}:", flush=True)
    model, data, batch_size = build()
    with tempfile.TemporaryDirectory(prefix="triptych-") as folder:
        (Path(folder) / "scratch").mkdir()
        context = Metered(Path(folder) / "scratch")
        context.model, context.windows, context.seconds = model, windows, seconds
        size = sum(array.nbytes for array in snapshot(model).values())
        try:
            train(model, data, SPEC, context, epochs=10**6, batch_size=batch_size, checkpoint_seconds=0)
        except Stopped:
            context.flush()
        show(context, size, Path(folder))


def show(context: Metered, size: int, folder: Path) -> None:
    without, beside = (statistics.median(rates) for rates in context.rates)
    *saves, alone = context.saves
    blocked = statistics.median(save.blocked for save in saves)
    took = statistics.median(save.ended - save.began for save in saves)
    cost = (1 - beside / without) * context.seconds  # seconds of training that one save costs
    interval = max(INTERVAL, min(_REST * took, _LONGEST_REST) if took >= _LONG_SAVE else 0.0)
    megabytes = size / 1e6
    print(f"  state of {megabytes:.1f} MB; {without:.2f} steps/s, {beside:.2f} with a save in the window")
    print(
        f"  one save costs {cost:.3f} s of training: {100 * cost / INTERVAL:.2f} % if every {INTERVAL:g} s,"
    )
    print(f"    {100 * cost / interval:.2f} % every {interval:.0f} s, as a worker does it (wanted: < 3 %)")
    share = 100 * blocked / took
    print(f"  it blocks for {1000 * blocked:.1f} ms of {took:.2f} s = {share:.2f} % (wanted: < 5 %)")
    speed = megabytes / (alone.ended - alone.began)
    print(f"  whole save: {megabytes / took:.0f} MB/s beside training, {speed:.0f} MB/s alone")
    print(f"  bare fput_object of as many bytes: {bare_upload(context, size, folder):.0f} MB/s")


def bare_upload(context: Metered, size: int, folder: Path, times: int = 3) -> float:
    path = folder / "bare"
    path.write_bytes(np.random.default_rng(0).bytes(size))
    store, rates = context._store, []
    for _ in range(times):
        began = time.monotonic()
        store._minio.fput_object(store._bucket, "bare", str(path))
        rates.append(size / 1e6 / (time.monotonic() - began))
    return statistics.median(rates)


def main() -> None:
    sys.setswitchinterval(SWITCH_SECONDS)  # as a runner does
    wanted = sys.argv[1:] or ("gan", "dense")
    with running_stack():
        if "gan" in wanted:
            measure("classic GAN", gan, windows=10, seconds=10.0)
        if "dense" in wanted:
            measure("dense, 100 million parameters, Adam", dense, windows=6, seconds=INTERVAL)


if __name__ == "__main__":
    main()
