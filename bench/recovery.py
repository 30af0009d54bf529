"""How long a job stands still when what runs it is killed or asked to end, and how soon one is cancelled.

    python -m bench.recovery

Two workers, one job, default settings. The first times run from the signal to the first step that another
process does after it; those of cancelling, from the call to the last step and to the final state.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.stack import PLUGIN

sys.path.insert(0, str(PLUGIN))
from triptych_drill.spec import DrillResult, Train

from scheduler import Client, Job
from scheduler.keys import JobKeys
from tests.cluster import Cluster, cluster
from tests.servers import redis_server, s3_server, wait_until

TIMES = 10
STEP_SECONDS = 0.05


class Ward:
    """Two workers, and a job that one of them runs."""

    def __init__(self, built: Cluster) -> None:
        self._cluster = built
        self._journal = Path()
        self._job: Job[DrillResult] | None = None
        self.workers = {name: self.start(name) for name in ("worker-a", "worker-b")}

    def strike(self, number: int, blow: Callable[["Ward"], object]) -> float:
        """Seconds without a step, of a job that was struck for the first time."""
        self._journal = self._cluster.folder / f"journal-{blow.__name__}-{number}"
        spec = Train(steps=1_000_000, step_seconds=STEP_SECONDS, journal=str(self._journal))
        job = self._job = self._cluster.client().submit(spec)
        # Until there are checkpoints, and the worker that was ended the last time is back.
        wait_until(lambda: len(self._lines()) > 100)
        before, victim, began = self.process(), self.worker(), time.monotonic()
        blow(self)
        while self.process() == before:
            time.sleep(0.005)
        stood = time.monotonic() - began
        job.cancel()
        wait_until(lambda: job.state.final)
        if blow not in (kill_runner, restart_worker):
            victim.wait()
            name = next(name for name, worker in self.workers.items() if worker is victim)
            self.workers[name] = self.start(name)
        return stood

    def process(self) -> int:
        """The process that did the last step."""
        wait_until(lambda: bool(self._lines()))
        return int(self._lines()[-1].split()[0])

    def worker(self) -> "subprocess.Popen[bytes]":
        """The worker that runs the job."""
        assert self._job
        return self.workers[self._job.record.worker.partition("@")[2]]

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        """A worker of that name."""
        return self._cluster.worker(TRIPTYCH_WORKER_NAME=name, TRIPTYCH_SLOTS="1", TRIPTYCH_WARM_RUNNERS="0")

    def _lines(self) -> list[str]:
        if not self._journal.exists():
            return []
        return self._journal.read_text().rpartition("\n")[0].splitlines()

    def cancel(self, number: int) -> tuple[float, float]:
        """Seconds from cancelling a running job to its last step, and to its final state."""
        self._journal = self._cluster.folder / f"journal-cancel-{number}"
        client = self._cluster.client()
        job = client.submit(Train(steps=1_000_000, step_seconds=STEP_SECONDS, journal=str(self._journal)))
        wait_until(lambda: len(self._lines()) > 20)
        steps, began = 0, time.monotonic()
        stepped = began
        job.cancel()
        while not job.state.final:
            if len(self._lines()) > steps:
                steps, stepped = len(self._lines()), time.monotonic()
            time.sleep(0.005)
        ended = time.monotonic()
        if not list(client.store.under(JobKeys(job.id).checkpoints)):
            sys.exit(f"the cancelled job {job.id} kept no checkpoint")
        return stepped - began, ended - began


def cancel_queued(client: Client) -> tuple[str, float]:
    """A job that is cancelled while no worker is up, and the seconds that it took."""
    job = client.submit(Train())
    began = time.monotonic()
    job.cancel()
    wait_until(lambda: job.state.final)
    return job.id, time.monotonic() - began


def kill_worker(ward: Ward) -> None:
    ward.worker().kill()


def kill_runner(ward: Ward) -> None:
    os.kill(ward.process(), signal.SIGKILL)


def drain(ward: Ward) -> None:
    ward.worker().terminate()


def restart_worker(ward: Ward) -> None:
    """As a container's restart or `triptych up` does, after the half second that the latter waits."""
    victim = ward.worker()
    name = next(name for name, worker in ward.workers.items() if worker is victim)
    victim.kill()
    victim.wait()
    time.sleep(0.5)
    ward.workers[name] = ward.start(name)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="triptych-bench-") as name:
        folder = Path(name)
        os.environ["TRIPTYCH_HOME"] = str(folder / "home")
        os.environ["PYTHONPATH"] = os.pathsep.join((str(PLUGIN), os.environ.get("PYTHONPATH", "")))
        with (
            redis_server(folder) as redis,
            s3_server(folder) as store,
            cluster(redis, store, folder) as built,
        ):
            built.scheduler()
            queued = [cancel_queued(built.client()) for _ in range(TIMES)]
            show("cancelling a queued job, with no worker up", [seconds for _, seconds in queued])
            ward = Ward(built)
            for title, blow in (
                ("kill -9 of the runner", kill_runner),
                ("SIGTERM to the worker", drain),
                ("kill -9 of the worker", kill_worker),
                ("kill -9 of the worker, which is started again", restart_worker),
            ):
                stood = [ward.strike(number, blow) for number in range(TIMES)]
                show(f"{title}: the job stands still", stood)
            times = [ward.cancel(number) for number in range(TIMES)]
            show("cancelling a running job, to its last step", [stepped for stepped, _ in times])
            show("cancelling a running job, to its final state", [ended for _, ended in times])
            started = [job for job, _ in queued if built.client().records.get(job).attempt]
            print(f"of {len(queued)} jobs cancelled in the queue, {len(started)} started later", flush=True)


def show(title: str, seconds: Sequence[float]) -> None:
    median, worst = statistics.median(seconds), max(seconds)
    print(f"{title}: {median:.2f} s, at worst {worst:.2f} s ({len(seconds)} times)", flush=True)


if __name__ == "__main__":
    main()
