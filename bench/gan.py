"""Training speed of GANs: the loop of the tutorials, PyTorch, and `gan.train`, side by side.

    python -m bench.gan [mlp] [dcgan] [--times 3] [--seconds 6]

For each architecture prints the median steps a second of several measurements of each, taken in turn, each
in a process of its own; milliseconds of processor time a step, of all threads, which other work on the
machine changes less; the peak of its memory; and how much of the speed that the bare arithmetic would have
(`bench/floor.py`). The mathematics is the same everywhere, but for the running average of `dcgan`, which the
tutorials do not have. PyTorch comes with `pip install '.[bench]'`; without it its lines are left out.
"""

import argparse
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bench.stack import running_stack
from jobs.context import Progress, StopReason
from jobs.errors import Stopped
from jobs.gan.spec import TrainGan
from jobs.local import LocalContext, run_locally
from scheduler import Client

#: Reports, pictures and checkpoints included, more often than by default; no measurements of quality.
COMMON = {"dataset": "mnist-5k", "epochs": 100_000, "sample_every": 1_000, "checkpoint_seconds": 5}
SPECS = {
    "mlp": TrainGan.model_validate({"architecture": "mlp", "average": 0.0, **COMMON}),
    "dcgan": TrainGan.model_validate({"architecture": "dcgan", "judge_every": 0, **COMMON}),
}

#: Words for `bench/torch_gan.py`, by architecture.
TORCH = {
    "mlp": ("", "fused", "compiled fused"),
    "dcgan": ("", "bfloat16", "bfloat16 fused", "bfloat16 compiled fused"),
}
#: Seconds in which the worker's next spare runner imports TensorFlow.
WARM_UP = 15.0
TUTORIAL, FOLDER, QUEUE = "tutorials' loop", "gan.train in a folder", "gan.train through the queue"


@dataclass(frozen=True)
class Figures:
    """Of one run; not a number where it is not known."""

    speed: float = math.nan  #: steps a second
    processor: float = math.nan  #: milliseconds of processor time a step, of all threads
    memory: float = math.nan  #: MB at the peak


class Stopwatch(LocalContext):
    """Asks to stop after a while, and knows the steps a second since the end of the first report."""

    seconds = 10.0
    measured = 0.0, 0.0

    def __init__(self, folder: Path, data: dict[str, Path] | None = None) -> None:
        super().__init__(folder, data)
        self.reports: list[tuple[float, float, int]] = []

    def report(self, progress: Progress) -> None:
        """Notes the time as well."""
        super().report(progress)
        self.reports.append((time.monotonic(), time.process_time(), progress.step))

    def should_stop(self) -> StopReason | None:
        """Stops once the time is up."""
        if not self.reports or time.monotonic() - self.reports[0][0] < self.seconds:
            return None
        seconds, processor, steps = (
            last - first for first, last in zip(self.reports[0], self.reports[-1], strict=True)
        )
        type(self).measured = steps / seconds, processor / steps * 1e3
        return StopReason.CANCEL


def in_a_folder(spec: TrainGan, seconds: float) -> tuple[float, float]:
    """Steps a second of `gan.train` without a stack, and milliseconds of processor time a step."""
    watch: type[Stopwatch] = type("Watch", (Stopwatch,), {"seconds": seconds})
    with tempfile.TemporaryDirectory(prefix="triptych-") as folder:
        try:
            run_locally(spec, Path(folder), context=watch)
        except Stopped:
            return watch.measured
    raise RuntimeError("training ended before it was measured; give it more epochs")


def through_the_queue(client: Client, spec: TrainGan, seconds: float) -> float:
    """Steps a second of a job on a worker, by its own reports."""
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
    return float((last["step"] - first["step"]) / (last["time"] - first["time"]))


def of_process(*command: str) -> Figures:
    """The three numbers that a program prints last; not numbers if it fails."""
    answer = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    if answer.returncode:
        print(f"  {' '.join(command)} does not work here: {answer.stderr.strip().splitlines()[-1][:100]}")
        return Figures()
    return Figures(*map(float, answer.stdout.split()[-3:]))


def measured(client: Client, architecture: str, seconds: float, again: bool) -> dict[str, Figures]:
    """The figures of everyone, once.

    Args:
        client: of the stack.
        architecture: what is trained.
        seconds: that each is measured for, after its warm-up.
        again: leaves out what takes a minute to compile.
    """
    words = [architecture, str(seconds)]
    found = {TUTORIAL: of_process("bench.tutorial_gan", *words)}
    for each in TORCH[architecture] if find_spec("torch") else ():
        if again and "compiled" in each:
            continue
        name = ", ".join(["PyTorch", *(each.split() or ["float32"])])
        found[name] = of_process("bench.torch_gan", *words, *each.split())
    found[FOLDER] = of_process("bench.gan", "--folder", *words)
    found[QUEUE] = Figures(through_the_queue(client, SPECS[architecture], seconds))
    return found


def show(architecture: str, rounds: list[dict[str, Figures]]) -> None:
    answer = subprocess.check_output([sys.executable, "-m", "bench.floor", architecture], text=True)
    operations, products = map(float, answer.split()[-2:])
    print(f"{architecture}, batch 128, MNIST, steps/s, median of {len(rounds)} (least to most):")
    found = {name: [each[name] for each in rounds if name in each] for name in rounds[0]}
    medians = {name: statistics.median(one.speed for one in each) for name, each in found.items()}
    for name, speed in medians.items():
        speeds = [one.speed for one in found[name]]
        processor, memory = (
            statistics.median(getattr(one, each) for one in found[name]) for each in ("processor", "memory")
        )
        used = "" if math.isnan(memory) else f"{processor:7.2f} ms, {memory:4.0f} MB"
        print(
            f"  {name:34} {speed:7.1f} ({min(speeds):.1f} to {max(speeds):.1f})   {used:>20}   "
            f"the queue has {medians[QUEUE] / speed:5.2f} times as many"
        )
    floor = products / operations
    print(
        f"  arithmetic: {operations:.2f} GFLOP a step, products of matrices {products:.0f} GFLOP/s, so at "
        f"most {floor:.1f} steps/s; through the queue {medians[QUEUE] / floor:.0%} of that",
        flush=True,
    )


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.gan")
    arguments.add_argument("architectures", nargs="*", default=list(SPECS), metavar="mlp|dcgan")
    arguments.add_argument("--times", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=6.0)
    arguments.add_argument("--folder", nargs=2, metavar=("ARCHITECTURE", "SECONDS"), help="only this, here")
    chosen = arguments.parse_args()
    if chosen.folder:
        print(
            *in_a_folder(SPECS[chosen.folder[0]], float(chosen.folder[1])),
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )
        return
    with running_stack() as client:
        time.sleep(8)  # until the spare runners are ready
        for architecture in chosen.architectures:
            rounds = []
            for number in range(chosen.times):
                rounds.append(measured(client, architecture, chosen.seconds, again=number > 0))
                print("  " + ", ".join(f"{one.speed:.1f}" for one in rounds[-1].values()), flush=True)
            show(architecture, rounds)


if __name__ == "__main__":
    main()
