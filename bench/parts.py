"""One job on many workers: what dividing it costs, and what it gains.

    python -m bench.parts [sleep] [cancel] [classify]

`sleep`: parts that only sleep for a second, on 1, 8 and 32 slots of one machine: the seconds beside those
that sleeping alone takes, Redis's memory, and the processor time of each process, for each part.
`cancel`: seconds until a job with 1,000 queued parts has ended. `classify`: rows a second of a divided
classification on one worker of one thread and on two, and of the undivided one.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.spent import spent
from bench.stack import PLUGIN

sys.path.insert(0, str(PLUGIN))
from triptych_trial.spec import Rows

from jobs.transformer.uses import ClassifyTexts
from scheduler import Client, JobState
from tests.cluster import Cluster, cluster
from tests.servers import redis_server, s3_server, wait_until

#: Slots, and parts of a second each.
SLEEPS = ((1, 20), (8, 160), (32, 1000))
CANCELLED = 1000
#: Tweets, parts, how often each way is measured, and seconds until a spare runner has imported TensorFlow.
TEXTS, PARTS, TIMES, WARM_UP = 4_096, 6, 2, 8.0


@contextmanager
def servers(**variables: str) -> Iterator[Cluster]:
    """Redis, an S3 server and a scheduler."""
    with tempfile.TemporaryDirectory(prefix="triptych-bench-") as name:
        folder = Path(name)
        os.environ["TRIPTYCH_HOME"] = name
        os.environ["PYTHONPATH"] = os.pathsep.join((str(PLUGIN), os.environ.get("PYTHONPATH", "")))
        with (
            redis_server(folder) as redis,
            s3_server(folder) as store,
            cluster(redis, store, folder, **variables) as built,
        ):
            built.scheduler()
            yield built


def sleep() -> None:
    """Where the scheduler and the store begin to cost."""
    for slots, parts in SLEEPS:
        with servers(TRIPTYCH_WARM_RUNNERS="0") as built:
            client = built.client()
            built.worker(TRIPTYCH_SLOTS=str(slots), TRIPTYCH_THREADS="1")
            wait_until(lambda client=client: bool(client.workers.living()))  # type: ignore[misc]
            # What a worker does once is not what a part costs.
            client.submit(Rows(rows=slots, window=1), parts=max(slots, 2)).wait(600)
            before, held = spent(built), memory(client)
            began = time.perf_counter()
            job = client.submit(Rows(rows=parts, window=1, row_seconds=1), parts=parts)
            job.wait(3600)
            took = time.perf_counter() - began
            after, holds = spent(built), memory(client)
            least = parts / slots
            print(
                f"{slots} slots, {parts} parts of a second: {took:.1f} s, {took / least:.2f} times the least"
            )
            print(f"  Redis keeps {(holds - held) / parts / 1000:.1f} kB for each part")
            for name, seconds in after.items():
                print(
                    f"  {name:10} {1000 * (seconds - before[name]) / parts:7.1f} ms of processor time a part"
                )


def cancel() -> None:
    """Ends a job whose parts are all queued but one."""
    with servers(TRIPTYCH_WARM_RUNNERS="0", TRIPTYCH_STOP_SECONDS="1") as built:
        client = built.client()
        built.worker(TRIPTYCH_SLOTS="2", TRIPTYCH_THREADS="1")
        job = client.submit(Rows(rows=CANCELLED, window=1, row_seconds=600), parts=CANCELLED)
        wait_until(lambda: client.records.counts()[JobState.RUNNING] == 2, 300)
        began = time.perf_counter()
        job.cancel()
        asked = time.perf_counter() - began
        wait_until(lambda: client.records.counts()[JobState.RUNNING] == 0, 60)
        ended = time.perf_counter() - began
        time.sleep(2)
        begun = sum(part.attempt for part in job.parts())
        print(f"cancel of {CANCELLED} parts: ended in {asked:.2f} s, the two that ran in {ended:.2f} s")
        print(f"  parts that have begun, then and afterwards: {begun}")


def classify() -> None:
    """Rows a second, in turn, so that what else the machine does touches all alike."""
    with servers(TRIPTYCH_SLOTS="1", TRIPTYCH_THREADS="1") as built:
        prepare = (
            f"import bench.classification as it, pathlib; it.ROWS = {TEXTS}; it.prepare(pathlib.Path('.'))"
        )
        repository = os.pathsep.join((str(Path(__file__).parent.parent), os.environ["PYTHONPATH"]))
        subprocess.run(
            [sys.executable, "-c", prepare],
            cwd=built.folder,
            env=os.environ | {"PYTHONPATH": repository},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        client = built.client()
        client.datasets.upload("texts", built.folder / "texts.csv")
        spec = ClassifyTexts(pretrained=str(built.folder / "model"), dataset="texts", batch_size=16)
        ways = {
            "one worker, undivided": (1, None),
            "one worker, divided": (1, PARTS),
            "two workers, divided": (2, PARTS),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(TIMES):
            for name, (workers, parts) in ways.items():
                found[name].append(_rate(built, spec, workers, parts))
                print(f"  {name}: {found[name][-1]:.0f} rows/s", flush=True)
        alone, one, two = (statistics.median(rates) for rates in found.values())
        print(f"rows/s, medians of {TIMES}: {alone:.0f} undivided, {one:.0f} divided on one worker")
        print(
            f"  of one thread, {two:.0f} on two: {two / one:.2f} times one, {two / alone:.2f} times undivided"
        )


def _rate(built: Cluster, spec: ClassifyTexts, workers: int, parts: int | None) -> float:
    """Of a job from its start to its end; the workers are warm."""
    client = built.client()
    processes = [built.worker() for _ in range(workers)]
    try:
        wait_until(lambda: len(client.workers.living()) == workers, 60)
        # Each has loaded the model once, and has another runner ready.
        client.submit(spec, parts=2 * workers).wait(600)
        time.sleep(WARM_UP)
        job = client.submit(spec, parts=parts)
        rows = job.wait(1200).rows
        record = job.record
        return rows / ((record.finished or 0.0) - (record.started or 0.0))
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def memory(client: Client) -> int:
    """Bytes that Redis holds."""
    return int(client.records.redis.info("memory")["used_memory"])


def main() -> None:
    measurements = {"sleep": sleep, "cancel": cancel, "classify": classify}
    for name in sys.argv[1:] or measurements:
        measurements[name]()


if __name__ == "__main__":
    main()
