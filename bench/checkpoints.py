"""What checkpoints cost at default settings: in training time, in time that one save blocks, and in speed.

    python -m bench.checkpoints [gan] [dense]

trains the GAN and a dense model of 100 million parameters with Adam through the real loop, with a worker's
context and an S3 server on the same machine. Nothing is set: saves come when a worker lets them come, rests
included. The cost is the time that steps took longer beside a save than away from it, over whole periods from
the beginning of one save to that of a later one. The dense model needs 6 GB; both together take 7 minutes.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf

from bench.stack import running_stack
from jobs.checkpoints.file import Checkpoint
from jobs.context import Progress, StopReason
from jobs.datasets.images import named
from jobs.errors import Stopped
from jobs.gan.models import build_gan
from jobs.gan.recipes import recipe
from jobs.gan.spec import TrainGan
from jobs.training import Trainable, train
from jobs.training.state import snapshot
from worker.context import WorkerContext
from worker.runner import SWITCH_SECONDS
from worker.runners import Assignment

#: Steps are counted from so many seconds before the first save on; so long after one it may still cost some.
AWAY, AFTERMATH = 15.0, 3.0
SPEC = TrainGan(architecture="mlp", dataset="mnist-5k")
#: More than there is time for, and no more than a job has: the curves so far are part of every checkpoint.
EPOCHS = 10_000


@dataclass
class Save:
    """One save: when it began, how long training stood still for it, and when it was in the store."""

    began: float
    blocked: float = 0.0
    ended: float = 0.0


class Metered(WorkerContext):
    """A worker's context that notes when which step was done, and ends the training after so many saves."""

    def __init__(self, job: str, folder: Path, model: Trainable, saves: int) -> None:
        super().__init__(Assignment(job, 1, SPEC.to_wire(), {}), folder)
        self.saves: list[Save] = []
        self.marks: list[tuple[float, int]] = []  #: time and step at the end of each chunk
        self._model = model
        self._most = saves

    def report(self, progress: Progress) -> None:
        """Not measured: reports have no part in what checkpoints cost."""

    def should_stop(self) -> StopReason | None:
        """Takes the time."""
        self.marks.append((time.monotonic(), int(self._model.step.numpy())))
        return StopReason.CANCEL if len(self.saves) == self._most else None

    def checkpoint_in_flight(self) -> bool:
        """Notes when the loop may save, which it does then."""
        busy = super().checkpoint_in_flight()
        if not busy:
            self.saves.append(Save(time.monotonic()))
        return busy

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Takes the time for which training stands still, the snapshot included."""
        if self.saves[-1].blocked:  # the last one, which the loop saves as it ends
            self.flush()
            self.saves.append(Save(time.monotonic()))
        super().save_checkpoint(checkpoint)
        self.saves[-1].blocked = time.monotonic() - self.saves[-1].began

    def _store_checkpoint(self, checkpoint: Checkpoint) -> None:
        save = self.saves[-1]
        super()._store_checkpoint(checkpoint)
        save.ended = time.monotonic()
        print(f"  saved in {save.ended - save.began:.2f} s", flush=True)


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
    return build_gan(SPEC, data.shape), {"images": data.images}, recipe(SPEC).batch_size


def measure(
    name: str, job: str, build: Callable[[], tuple[Trainable, dict[str, Any], int]], periods: int
) -> None:
    print(f"{name}:", flush=True)
    model, data, batch_size = build()
    with tempfile.TemporaryDirectory(prefix="triptych-") as folder:
        (Path(folder) / "scratch").mkdir()
        context = Metered(job, Path(folder) / "scratch", model, periods + 1)
        size = sum(array.nbytes for array in snapshot(model).values())
        try:
            train(model, data, SPEC, context, epochs=EPOCHS, batch_size=batch_size)
        except Stopped:
            context.flush()
        show(context, size, Path(folder))


def show(context: Metered, size: int, folder: Path) -> None:
    *saves, last, alone = context.saves
    free, lost = lost_seconds(context.marks, saves, last.began)
    period = (last.began - saves[0].began) / len(saves)
    blocked = statistics.median(save.blocked for save in saves)
    took = statistics.median(save.ended - save.began for save in saves)
    megabytes = size / 1e6
    print(f"  state of {megabytes:.1f} MB; {free:.2f} steps/s away from saves")
    print(
        f"  {len(saves)} saves, one every {period:.0f} s, cost {lost / len(saves):.3f} s of training each: "
        f"{100 * lost / len(saves) / period:.2f} % at default settings (wanted: < 3 %)"
    )
    print(f"  they would cost {100 * lost / len(saves) / 30:.2f} % if one came every 30 s without a rest")
    share = 100 * blocked / took
    print(f"  one blocks for {1000 * blocked:.1f} ms of {took:.2f} s = {share:.2f} % (wanted: < 5 %)")
    speed = megabytes / (alone.ended - alone.began)
    print(f"  whole save: {megabytes / took:.0f} MB/s beside training, {speed:.0f} MB/s alone")
    print(f"  bare fput_object of as many bytes: {bare_upload(context, size, folder):.0f} MB/s")


def lost_seconds(
    marks: Sequence[tuple[float, int]], saves: Sequence[Save], end: float
) -> tuple[float, float]:
    """Steps a second away from saves, and the seconds that the steps beside them took longer."""
    free, beside = [0.0, 0], [0.0, 0]  # seconds, steps
    for (began, first), (ended, last) in pairwise(marks):
        if began < saves[0].began - AWAY or ended > end:
            continue  # the first chunks compile; the last save is not over
        near = any(began < save.ended + AFTERMATH and ended > save.began for save in saves)
        kept = beside if near else free
        kept[0] += ended - began
        kept[1] += last - first
    rate = free[1] / free[0]
    return rate, beside[0] - beside[1] / rate


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
            measure("classic GAN", "0" * 16, gan, periods=4)
        if "dense" in wanted:
            measure("dense, 100 million parameters, Adam", "1" * 16, dense, periods=1)


if __name__ == "__main__":
    main()
