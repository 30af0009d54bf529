"""Training speed of the classic GAN: the loop of the tutorials against `gan.train`, side by side.

    python -m bench.gan

prints the median of five measurements of each, taken in turn, and their ratio.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from bench.stack import running_stack
from jobs.context import Progress, StopReason
from jobs.datasets import named
from jobs.errors import Stopped
from jobs.gan.networks import build_discriminator, build_generator
from jobs.gan.recipes import recipe
from jobs.gan.spec import TrainGan
from jobs.local import LocalContext, run_locally
from scheduler import Client

#: The same data, networks, optimizers, batch and losses on both sides.
SPEC = TrainGan(
    architecture="mlp",
    dataset="mnist-5k",
    average=0.0,
    epochs=100_000,
    sample_every=1_000,
    checkpoint_seconds=5,
)


#: Seconds in which the worker's next spare runner imports TensorFlow.
WARM_UP = 6.0


class TutorialGan:
    """The loop of the widespread Keras tutorials: `predict` and `train_on_batch`, one step at a time.

    A step updates the discriminator once, on a batch of real and a batch of generated images, and then
    the generator through the combined model, in which the discriminator is frozen.

    Args:
        spec: its networks, optimizers and batch size are used.
    """

    def __init__(self, spec: TrainGan) -> None:
        self.batch = recipe(spec).batch_size
        self.latent_dim = spec.latent_dim
        data = named.load(spec.dataset)
        self.images = data.images.astype(np.float32) / 127.5 - 1.0
        self.generator = build_generator(spec, data.shape)
        logits = build_discriminator(spec, data.shape)
        probability = keras.layers.Activation("sigmoid")(logits.output)
        self.discriminator = keras.Model(logits.input, probability)
        self.discriminator.compile(adam(spec), "binary_crossentropy")
        latents = keras.Input((spec.latent_dim,))
        self.combined = keras.Model(latents, self.discriminator(self.generator(latents)))
        self.combined.compile(adam(spec), "binary_crossentropy")
        self.random = np.random.default_rng(spec.seed)

    def step(self) -> None:
        """One step of the tutorial."""
        rows = self.random.integers(0, len(self.images), self.batch)
        fake = self.generator.predict(self.latents(), verbose=0)
        images = np.concatenate([self.images[rows], fake])
        labels = np.concatenate([np.ones((self.batch, 1)), np.zeros((self.batch, 1))])
        # Keras 3 looks at `trainable` when it traces, so the freezing of the tutorials, once before the
        # combined model is compiled, would stop the discriminator for good.
        self.discriminator.trainable = True
        self.discriminator.train_on_batch(images, labels)
        self.discriminator.trainable = False
        self.combined.train_on_batch(self.latents(), np.ones((self.batch, 1)))

    def latents(self) -> np.ndarray:
        """Standard normal numbers, (batch, latent_dim)."""
        return self.random.standard_normal((self.batch, self.latent_dim))


class Stopwatch(LocalContext):
    """Asks to stop after a while, and knows the steps a second since the end of the first report."""

    seconds = 10.0

    def __init__(self, folder: Path, data: dict[str, Path] | None = None) -> None:
        super().__init__(folder, data)
        self.reports: list[tuple[float, int]] = []

    def report(self, progress: Progress) -> None:
        """Notes the time as well."""
        super().report(progress)
        self.reports.append((time.monotonic(), progress.step))

    def should_stop(self) -> StopReason | None:
        """Stops once the time is up."""
        if not self.reports or time.monotonic() - self.reports[0][0] < self.seconds:
            return None
        (first, done), (last, steps) = self.reports[0], self.reports[-1]
        type(self).measured = (steps - done) / (last - first)
        return StopReason.CANCEL

    measured = 0.0


def adam(spec: TrainGan) -> keras.optimizers.Adam:
    return keras.optimizers.Adam(recipe(spec).learning_rate, recipe(spec).beta_1)


def tutorial_steps_per_second(spec: TrainGan = SPEC, seconds: float = 10.0) -> float:
    """Steps a second of the tutorial's loop, after a warm-up."""
    tutorial = TutorialGan(spec)
    for _ in range(3):
        tutorial.step()
    started, steps = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        tutorial.step()
        steps += 1
    return steps / (time.monotonic() - started)


def triptych_steps_per_second(spec: TrainGan = SPEC, seconds: float = 10.0) -> float:
    """Steps a second of `gan.train` in a folder: reports, sample pictures and checkpoints included."""
    watch = type("Watch", (Stopwatch,), {"seconds": seconds})
    with tempfile.TemporaryDirectory(prefix="triptych-") as folder:
        try:
            run_locally(spec, Path(folder), context=watch)
        except Stopped:
            return float(watch.measured)
    raise RuntimeError("training ended before it was measured; give it more epochs")


def queue_steps_per_second(client: Client, spec: TrainGan = SPEC, seconds: float = 10.0) -> float:
    """Steps a second of a job on a worker, by its own reports: progress, pictures, checkpoints included."""
    job = client.submit(spec)
    try:
        while job.progress is None:
            time.sleep(0.1)
        time.sleep(WARM_UP + seconds)
    finally:
        job.cancel()
    for _ in job.updates(60):
        pass
    reports = job.metrics()
    last = reports[-1]
    first = next(report for report in reports if report["time"] > last["time"] - seconds)
    return (last["step"] - first["step"]) / (last["time"] - first["time"])


def main(times: int = 5, seconds: float = 8.0) -> None:
    tutorial, local, queue = [], [], []
    with running_stack() as client:
        time.sleep(8)  # until the spare runners are ready
        for _ in range(times):
            tutorial.append(tutorial_steps_per_second(seconds=seconds))
            local.append(triptych_steps_per_second(seconds=seconds))
            queue.append(queue_steps_per_second(client, seconds=seconds))
            newest = tutorial[-1], local[-1], queue[-1]
            print(
                "  tutorial {:.1f}, in a folder {:.0f}, through the queue {:.0f}".format(*newest), flush=True
            )
    slow = statistics.median(tutorial)
    print(f"classic GAN, batch {recipe(SPEC).batch_size}, the same mathematics, steps/s, median of {times}:")
    print(f"  tutorial's loop                {slow:8.1f}")
    for name, measured in (("gan.train in a folder", local), ("gan.train through the queue", queue)):
        fast = statistics.median(measured)
        print(f"  {name:30} {fast:8.1f}   {fast / slow:5.1f} times the tutorial's")


if __name__ == "__main__":
    main()
