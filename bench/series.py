"""Speed of time series: training in windows a second beside PyTorch, and forecasts of many series.

    python -m bench.series

Trains the network of `selfsupervised.series.train` and the same model in PyTorch on the same windows, in
turn, each in a process of its own, and prints windows a second and their ratio. Then forecasts 100,000 series
of 200 rows by ridge regression, and prints seconds and memory. PyTorch comes with `pip install '.[bench]'`;
without it its line says so.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from jobs import TrainSeries
from jobs.datasets.tables.calendar import Calendar
from jobs.datasets.tables.step import Step
from jobs.datasets.tables.table import Table
from jobs.local import run_locally

ROUNDS, SECONDS = 5, 10.0
WINDOW, HORIZON, BATCH = 336, 96, 256
SERIES, ROWS = 100_000, 200

OURS = """
import sys, time
import numpy as np, tensorflow as tf
from bench.series import BATCH, HORIZON, WINDOW, waves
from jobs import TrainSeries
from jobs.selfsupervised.series.methods.networked import built
from jobs.selfsupervised.series.methods.ridge import Ridge
from jobs.training import Passes

spec = TrainSeries(dataset="made-up", horizon=HORIZON, window=WINDOW, pretrain_share=0.0, batch_size=BATCH)
shape = (WINDOW, HORIZON)
offsets = np.zeros((3, HORIZON))
ridge = Ridge("ridge", HORIZON, WINDOW, spec.quantiles, offsets, np.zeros(shape), np.zeros(HORIZON))
network = built(spec, ridge)
values = waves(20_000)
network.prepare(10_000, values, np.ones(len(values), bool))
random = np.random.default_rng(0)
count = 50 * BATCH
places = random.integers(WINDOW, len(values) - HORIZON, count).astype(np.int32)
phases = random.random((count, 3), np.float32)
data = {"places": places, "phases": phases, "known": np.zeros((count, 0), np.float32)}
network.place(data, Passes(count, BATCH))
step = tf.function(network.train_step, autograph=False)
order = tf.range(count)
run = lambda first, end: step((order, tf.constant(first, tf.int64), tf.constant(end, tf.int64)))
run(0, 10)
began, done = time.monotonic(), 10
while time.monotonic() - began < float(sys.argv[1]):
    float(run(done, done + 10)["loss"])
    done += 10
print((done - 10) * BATCH / (time.monotonic() - began))
"""


def waves(rows: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """A day of hours again and again, with noise."""
    noise = np.random.default_rng(0).normal(0, 0.3, rows)
    return np.asarray(np.sin(np.arange(rows) * 2 * np.pi / 24) + noise)


def measured(*command: str) -> float:
    """What a process prints last."""
    done = subprocess.run(
        [sys.executable, *command, str(SECONDS)], check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])


def training() -> None:
    """Windows a second, side by side."""
    ways = {"selfsupervised.series.train": ("-c", OURS)}
    if find_spec("torch"):
        ways["PyTorch"] = ("-m", "bench.torch_series")
    else:
        print("PyTorch is not installed (pip install '.[bench]'): its line is left out")
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, command in ways.items():
            found[name].append(measured(*command))
    medians = {name: statistics.median(rates) for name, rates in found.items()}
    for name, rate in medians.items():
        print(f"{name:30} {rate:8.0f} windows/s, of {', '.join(f'{each:.0f}' for each in found[name])}")
    if "PyTorch" in medians:
        print(f"ratio {medians['selfsupervised.series.train'] / medians['PyTorch']:.2f}, to be at least 1.2")


MANY = """
import json, resource, sys, time
from pathlib import Path
from jobs import ForecastSeries
from jobs.local import run_locally

home = Path(sys.argv[1])
began = time.monotonic()
found = run_locally(ForecastSeries(model="model"), home / "forecast", {"many": home / "many"})
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
told = {"seconds": time.monotonic() - began, "processor": time.process_time(), "rows": found.rows, "MB": peak}
print(json.dumps(told))
"""


def many() -> None:
    """Forecasts of many short series, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        values = waves(SERIES * ROWS)[:, np.newaxis]
        names = tuple(f"shop {number}" for number in range(SERIES))
        starts, offsets = np.full(SERIES, 1_704_067_200_000_000), np.arange(SERIES + 1) * ROWS
        step = Step(microseconds=3_600_000_000)
        (home / "many").mkdir()
        Table(("sold",), names, starts, offsets, values, step, Calendar("time"), "shop").write(home / "many")
        del values
        began = time.monotonic()
        run_locally(TrainSeries(dataset="many", method="ridge"), home / "model", {"many": home / "many"})
        print(f"ridge regression of {SERIES} series of {ROWS} rows: {time.monotonic() - began:.1f} s")
        done = subprocess.run(
            [sys.executable, "-c", MANY, folder], check=True, capture_output=True, text=True
        )
        told = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{told['rows']} rows forecast in {told['seconds']:.1f} s ({told['processor']:.1f} s of the "
            f"processors), {told['MB']:.0f} MB at the most"
        )


if __name__ == "__main__":
    training()
    many()
