"""Training speed of style transfer at 64 x 64: `gan.style.train` in a folder and PyTorch, side by side.

    python -m bench.style [cut|cyclegan ...]

Batches of 8, colours, the same networks, losses and updates. Prints the median of three measurements of each,
taken in turn, each in a process of its own, with their ratio. PyTorch comes with `pip install '.[bench]'`;
without it its line is left out.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from jobs.context import Progress, StopReason
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import Stopped
from jobs.gan.style.spec import TrainStyle
from jobs.local import LocalContext, run_locally

SIDE, BATCH, COUNT = 64, 8, 512
#: Seconds before anything is counted, and seconds that count.
WARM_UP, SECONDS = 20.0, 20.0


class Timed(LocalContext):
    """Counts steps for some seconds after a warm-up, then asks to stop."""

    began: tuple[float, int] | None = None
    rate = 0.0

    def __init__(self, folder: Path, data: Mapping[str, Path] | None = None) -> None:
        super().__init__(folder, data)
        self._made, self._step = time.monotonic(), 0

    def report(self, progress: Progress) -> None:
        """Keeps the step, and counts from here on if it is time to."""
        now, self._step = time.monotonic(), progress.step
        if Timed.began is None and now - self._made > WARM_UP:
            Timed.began = (now, progress.step)
        if Timed.began is not None and now - Timed.began[0] > SECONDS:
            Timed.rate = (progress.step - Timed.began[1]) / (now - Timed.began[0])

    def should_stop(self) -> StopReason | None:
        """Once there is a rate."""
        return StopReason.CANCEL if Timed.rate else None


def ours(method: str) -> float:
    """Steps a second of a training in a folder."""
    random = np.random.default_rng(0)
    with TemporaryDirectory() as home:
        data = {name: Path(home) / f"{name}.npz" for name in ("source", "target")}
        for path in data.values():
            ImageSet(random.integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)).write(path)
        spec = TrainStyle.model_validate(
            {"source": "source", "target": "target", "method": method, "epochs": 100_000}
            | {"batch_size": BATCH, "augment": False, "judge_every": 0, "sample_every": 100_000}
        )
        try:
            run_locally(spec, Path(home) / "job", data, Timed)
        except Stopped:
            return Timed.rate
    raise RuntimeError("the training ended before it was measured")


def measured(module: str, method: str) -> float:
    """What a process of its own prints."""
    words = [sys.executable, "-m", module, "--measure", method]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[-1])


def main(methods: list[str], times: int = 3) -> None:
    """Prints steps a second, and how they compare."""
    sides = {"gan.style.train": "bench.style"}
    if find_spec("torch") is not None:
        sides["PyTorch, bfloat16, channels last"] = "bench.torch_style"
    for method in methods:
        rates: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(times):
            for name, module in sides.items():
                rates[name].append(measured(module, method))
        middle = {name: statistics.median(found) for name, found in rates.items()}
        for name, found in rates.items():
            print(f"{method}: {name}: {middle[name]:.2f} steps/s ({min(found):.2f} to {max(found):.2f})")
        if len(middle) == 2:
            mine, other = middle.values()
            print(f"{method}: {mine / other:.2f} times as fast as PyTorch")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(ours(sys.argv[2]))
    else:
        main(sys.argv[1:] or ["cut", "cyclegan"])
