"""Whether slots fight: two of one thread each, against one of two threads, and against two bare processes.

    python -m bench.slots [mlp] [dcgan]

All on the same two cores, with the same training; steps a second of all processes together, by their own
reports. The slots are those of a worker, with Redis, S3 server, scheduler, progress, pictures and checkpoints
beside them; the bare processes write into folders. Medians of three, taken in turn.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jobs.context import Progress
from jobs.gan.spec import TrainGan
from scheduler.settings import WorkerSettings
from tests.cluster import Cluster, cluster
from tests.servers import redis_server, s3_server, wait_until
from worker.devices import Slots, environment

TIMES = 3
#: Seconds after the first report until a spare runner has imported TensorFlow, and seconds that are counted.
WARM_UP, COUNTED = 8.0, 15.0
CORES = 2

_BARE = "import sys; from bench.slots import bare; bare(sys.argv[1], sys.argv[2], int(sys.argv[3]))"

_TIMES = "times.jsonl"

Report = dict[str, Any]


def spec(architecture: str, seed: int) -> TrainGan:
    """A training that goes on for longer than it is looked at."""
    return TrainGan(
        architecture=architecture, dataset="mnist-5k", epochs=100_000, sample_every=500, seed=seed
    )


def bare(architecture: str, folder: str, seed: int) -> None:
    """What one bare process runs."""
    from jobs.local import LocalContext, run_locally

    class Timed(LocalContext):
        """Says when each report came, as a worker's context does."""

        def report(self, progress: Progress) -> None:
            super().report(progress)
            with (Path(folder) / _TIMES).open("a") as file:
                file.write(json.dumps({"step": progress.step, "time": time.time()}) + "\n")

    run_locally(spec(architecture, seed), Path(folder), context=Timed)


def of_slots(servers: Cluster, architecture: str, slots: int) -> float:
    """Steps a second of a worker with so many slots, all of them busy."""
    client = servers.client()
    threads = CORES // slots
    worker = servers.worker(TRIPTYCH_SLOTS=str(slots), TRIPTYCH_THREADS=str(threads))
    try:
        jobs = [client.submit(spec(architecture, seed)) for seed in range(slots)]
        wait_until(lambda: all(job.progress for job in jobs), 120)
        time.sleep(WARM_UP + COUNTED)
        for job in jobs:
            job.cancel()
        wait_until(lambda: all(job.state.final for job in jobs), 120)
        return together([job.metrics() for job in jobs])
    finally:
        worker.terminate()
        worker.wait()


def of_processes(architecture: str) -> float:
    """Steps a second of two processes of one thread each, without a worker."""
    alone = os.environ | environment(WorkerSettings(), Slots(CORES, 1))
    with tempfile.TemporaryDirectory(prefix="triptych-bench-") as folder:
        folders = [Path(folder) / str(number) for number in range(CORES)]
        processes = [
            subprocess.Popen([sys.executable, "-c", _BARE, architecture, str(path), str(number)], env=alone)
            for number, path in enumerate(folders)
        ]
        try:
            wait_until(lambda: all(reports(path) for path in folders), 120)
            time.sleep(WARM_UP + COUNTED)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        return together([reports(path) for path in folders])


def reports(folder: Path) -> list[Report]:
    """All whole lines of a bare process."""
    path = folder / _TIMES
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def together(jobs: Sequence[Sequence[Report]]) -> float:
    """Steps a second of all jobs, in the last seconds in which all of them ran."""
    end = min(reports[-1]["time"] for reports in jobs)
    total = 0.0
    for told in jobs:
        counted = [report for report in told if end - COUNTED <= report["time"] <= end]
        if len(counted) < 2:
            raise RuntimeError(
                f"a training reported {len(counted)} times in {COUNTED} s: is the machine busy?"
            )
        total += (counted[-1]["step"] - counted[0]["step"]) / (counted[-1]["time"] - counted[0]["time"])
    return total


def measure(servers: Cluster, architecture: str) -> None:
    """Prints the three, and the ratio that counts."""
    ways: dict[str, Callable[[], float]] = {
        "two slots of one thread": lambda: of_slots(servers, architecture, 2),
        "one slot of two threads": lambda: of_slots(servers, architecture, 1),
        "two bare processes of one thread": lambda: of_processes(architecture),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TIMES):
        for name, way in ways.items():
            found[name].append(way())
            print(f"  {architecture}, {name}: {found[name][-1]:.1f} steps/s", flush=True)
    slots, *others = (statistics.median(values) for values in found.values())
    print(f"{architecture}, steps/s together, medians of {TIMES}:")
    for name, values in found.items():
        print(f"  {name:34} {statistics.median(values):8.1f}")
    print(f"  two slots against the better of the others: {slots / max(others):.3f}")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="triptych-bench-") as name:
        folder = Path(name)
        os.environ["TRIPTYCH_HOME"] = name
        if hasattr(os, "sched_setaffinity"):  # all of what follows, on two cores
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
        with (
            redis_server(folder) as redis,
            s3_server(folder) as store,
            cluster(redis, store, folder) as servers,
        ):
            servers.scheduler()
            for architecture in sys.argv[1:] or ("mlp", "dcgan"):
                measure(servers, architecture)


if __name__ == "__main__":
    main()
