"""How small jobs flow through one slot, against a bare Celery worker that holds its model in memory.

    python -m bench.small_jobs [JOBS] [echo] [generate] [classify]

Side by side in one run, on the same Redis and the same S3 server: Triptych with its default settings and one
slot; the fair peer, which puts the same files into the same store and its result into Redis; and the limit,
which stores nothing (`bench.peer_worker`). One job after the other on an idle worker: seconds from submit to
result. Then from a full queue: jobs a second by the times at which they ended, the memory of the process that
does them on the way, and the processor time of each process for a job.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.spent import spent
from bench.stack import PLUGIN

sys.path.insert(0, str(PLUGIN))
from triptych_trial.spec import Echo

from jobs.gan.spec import GenerateImages, TrainGan
from jobs.spec import JobSpec
from jobs.transformer.uses import ClassifyTexts
from scheduler import Client
from tests.cluster import Cluster, cluster
from tests.servers import redis_server, s3_server, wait_until
from worker.__main__ import connection

#: Jobs of each kind, and those one after the other.
JOBS, ONE_BY_ONE = {"echo": 1000, "generate": 1000, "classify": 300}, 20
IMAGES, TEXTS = 16, 10
#: Seconds until a worker has imported what its jobs need.
WARM_UP = 12.0
#: A dense generator of 1.5 million weights, which takes a second to train: what it draws is of no interest.
TRAINED = TrainGan(architecture="mlp", dataset="digits", epochs=2, judge_every=0, seed=1)


@dataclass(frozen=True)
class Flow:
    """What was measured of one way.

    Attributes:
        rate: jobs a second, of a full queue.
        waits: seconds from submit to result, one job at a time.
        memory: MiB of the process that does the work, after a tenth, a half and all of the jobs.
        spent: ms of processor time for each job, by process.
    """

    rate: float
    waits: Sequence[float]
    memory: Sequence[float] = ()
    spent: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        ordered = sorted(self.waits)
        told = f"{self.rate:7.1f} jobs/s, one at a time {1000 * statistics.median(ordered):6.1f} ms, "
        told += f"p95 {1000 * ordered[int(0.95 * (len(ordered) - 1))]:6.1f} ms"
        if self.memory:
            told += f"\n    memory {' '.join(f'{each:.0f}' for each in self.memory)} MiB; "
            costs = ", ".join(f"{name} {each:.1f}" for name, each in self.spent.items())
            told += f"ms of processor time a job: {costs}"
        return told


def of_triptych(servers: Cluster, client: Client, spec: Callable[[int], JobSpec[Any]], jobs: int) -> Flow:
    """Through one slot of a worker with default settings."""
    worker = servers.worker(TRIPTYCH_SLOTS="1")
    try:
        client.submit(spec(0)).wait(120)
        time.sleep(WARM_UP)
        waits = []
        for number in range(ONE_BY_ONE):
            began = time.monotonic()
            client.submit(spec(number)).wait(120)
            waits.append(time.monotonic() - began)
        # The queue is filled while nobody works on it, so that submitting takes no part in the measurement.
        worker.send_signal(signal.SIGSTOP)
        submitted = [client.submit(spec(number)) for number in range(jobs)]
        before = spent(servers)
        worker.send_signal(signal.SIGCONT)
        memory = []
        for done in (jobs // 10, jobs // 2, jobs):
            submitted[done - 1].wait(3600)
            memory.append(busiest(worker.pid))
        after = spent(servers)
        ended = sorted(job.record.finished or 0.0 for job in submitted)
        costs = {name: 1000 * (after[name] - before[name]) / jobs for name in before}
        return Flow((jobs - 1) / (ended[-1] - ended[0]), waits, memory, costs)
    finally:
        worker.terminate()
        worker.wait()


def busiest(pid: int) -> float:
    """MiB of the process below a worker that has done most and is no template: the runner in use."""
    below = psutil.Process(pid).children(recursive=True)
    runners = [each for each in below if each.ppid() != pid or "worker.template" not in each.cmdline()]
    found = max(runners, key=lambda each: sum(each.cpu_times()[:2]), default=None)
    return found.memory_info().rss / 2**20 if found else 0.0


@contextmanager
def peer(servers: Cluster) -> Iterator[None]:
    """The bare worker, one process."""
    command = "-m celery -A bench.peer_worker worker --pool prefork --concurrency 1 --loglevel WARNING"
    with (servers.folder / "peer.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *command.split()],
            env=os.environ | connection(servers.redis, servers.store),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def of_peer(servers: Cluster, name: str, arguments: Callable[[int], Sequence[Any]], jobs: int) -> Flow:
    """Through one process of a bare Celery worker."""
    from bench.peer_worker import app

    def submit(number: int) -> Any:
        return app.send_task(name, (f"{name}-{number}", *arguments(number)))

    with peer(servers):
        submit(0).get(timeout=120)
        waits = []
        for number in range(ONE_BY_ONE):
            began = time.monotonic()
            submit(number).get(timeout=120)
            waits.append(time.monotonic() - began)
    queued = [submit(number) for number in range(jobs)]
    with peer(servers):
        ended = sorted(result.get(timeout=3600)["finished"] for result in queued)
    return Flow((jobs - 1) / (ended[-1] - ended[0]), waits)


def measure(servers: Cluster, client: Client, kind: str, jobs: int) -> None:
    """Prints the three ways of one kind, and their ratios."""
    spec, arguments = {"echo": echo, "generate": generate, "classify": classify}[kind](servers, client)
    flows = {
        "Triptych, one slot": lambda: of_triptych(servers, client, spec, jobs),
        "bare Celery, same files stored": lambda: of_peer(
            servers, f"peer.{kind}", _with(arguments, True), jobs
        ),
        "bare Celery, nothing stored": lambda: of_peer(
            servers, f"peer.{kind}", _with(arguments, False), jobs
        ),
    }
    rates = []
    for name, flow in flows.items():
        found = flow()
        rates.append(found.rate)
        print(f"  {name:32} {found}", flush=True)
    print(f"{kind}: {rates[0] / rates[1]:.2f} of the fair peer's jobs a second ({jobs} jobs)", flush=True)


Specs = Callable[[int], JobSpec[Any]]
Arguments = Callable[[int], tuple[Any, ...]]


def _with(arguments: Arguments, kept: bool) -> Arguments:
    return lambda number: (*arguments(number), kept)


def echo(_: Cluster, __: Client) -> tuple[Specs, Arguments]:
    """Trivial jobs."""
    return lambda number: Echo(text=str(number)), lambda number: (str(number),)


def generate(servers: Cluster, client: Client) -> tuple[Specs, Arguments]:
    """Sixteen images of a small generator: its job, its file, and the spec of its training as JSON."""
    worker = servers.worker(TRIPTYCH_SLOTS="1")
    job = client.submit(TRAINED)
    job.wait(600)
    worker.terminate()
    worker.wait()
    path = servers.folder / "generator.safetensors"
    path.write_bytes(job.artifact("generator.safetensors"))
    about = (str(path), json.dumps(TRAINED.to_wire()), IMAGES)
    return (
        lambda number: GenerateImages(model=job.id, count=IMAGES, seed=number),
        lambda number: (*about, number),
    )


def classify(servers: Cluster, _: Client) -> tuple[Specs, Arguments]:
    """Ten texts, by an encoder of random weights: what it says is of no interest."""
    home = servers.folder / "classifier"
    home.mkdir()
    code = "import sys, pathlib; from tests.small_models import write_classifier as write; "
    code += "write(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[1]) / 'model')"
    subprocess.run([sys.executable, "-c", code, str(home)], check=True, stderr=subprocess.DEVNULL)

    def spec(number: int) -> ClassifyTexts:
        texts = tuple(f"film {number} was {'great ' * (text % 5)}" for text in range(TEXTS))
        return ClassifyTexts(pretrained=str(home / "model"), texts=texts)

    return spec, lambda number: (json.dumps(spec(number).to_wire()),)


def main() -> None:
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdecimal()]
    kinds = [argument for argument in sys.argv[1:] if not argument.isdecimal()] or list(JOBS)
    with tempfile.TemporaryDirectory(prefix="triptych-bench-") as name:
        folder = Path(name)
        os.environ["TRIPTYCH_HOME"] = str(folder / "home")
        repository = str(Path(__file__).parent.parent)
        os.environ["PYTHONPATH"] = os.pathsep.join(
            (str(PLUGIN), repository, os.environ.get("PYTHONPATH", ""))
        )
        with (
            redis_server(folder) as redis,
            s3_server(folder) as store,
            cluster(redis, store, folder) as servers,
        ):
            os.environ["PEER_REDIS"] = redis.redis_url.get_secret_value()
            servers.scheduler()
            client = servers.client()
            wait_until(lambda: client.records.redis.ping())
            for kind in kinds:
                measure(servers, client, kind, numbers[0] if numbers else JOBS[kind])


if __name__ == "__main__":
    main()
