"""What the queue costs: submit to start, and trivial jobs a second against bare Celery on the same Redis."""

import statistics
import subprocess
import sys
import time

from celery import Celery

from bench.stack import PLUGIN, running_stack
from scheduler import Client
from scheduler.settings import RedisSettings, load

sys.path.insert(0, str(PLUGIN))
from triptych_trial.spec import Echo

LATENCIES = 30
JOBS = 60
TASKS = 1000


def main() -> None:
    with running_stack() as client:
        time.sleep(8)  # until the spare runners are ready
        starts, ends = latencies(client)
        print("submit to start, trivial job, idle warm worker:")
        print(f"  median {statistics.median(starts) * 1000:.1f} ms, p95 {p95(starts) * 1000:.1f} ms")
        print("submit to result:")
        print(f"  median {statistics.median(ends) * 1000:.1f} ms, p95 {p95(ends) * 1000:.1f} ms")
        ours = jobs_per_second(client)
        bare = bare_celery_tasks_per_second()
        print(
            f"trivial jobs a second, one slot: {ours:.1f} (a process, a log and a result in the store each)"
        )
        print(f"trivial tasks a second, bare Celery, one thread: {bare:.0f} (nothing kept)")
        print(f"ratio: {ours / bare:.4f}; a job costs {1 / ours - 1 / bare:.3f} s more than a bare task")


def latencies(client: Client) -> tuple[list[float], list[float]]:
    starts, ends = [], []
    for _ in range(LATENCIES):
        begin = time.time()
        job = client.submit(Echo())
        job.wait(60)
        ends.append(time.time() - begin)
        starts.append((job.record.started or 0.0) - begin)
        time.sleep(1)  # idle again, with a new spare runner
    return starts, ends


def jobs_per_second(client: Client) -> float:
    begin = time.time()
    jobs = [client.submit(Echo()) for _ in range(JOBS)]
    for job in jobs:
        job.wait(300)
    return JOBS / (time.time() - begin)


def bare_celery_tasks_per_second() -> float:
    url = load(RedisSettings).redis_url.get_secret_value()
    app = bare_app(url)
    module = ["-m", "celery", "-A", "bench.overhead:bare", "worker"]
    worker = subprocess.Popen(
        [sys.executable, *module, "-P", "threads", "-c", "1", "-Q", "bare"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        echo = app.tasks["echo"]
        echo.apply_async(("warm",), queue="bare").get(timeout=60)
        begin = time.time()
        results = [echo.apply_async((str(number),), queue="bare") for number in range(TASKS)]
        for result in results:
            result.get(timeout=60)
        return TASKS / (time.time() - begin)
    finally:
        worker.terminate()
        worker.wait()


def bare_app(url: str) -> Celery:
    app = Celery("bare", broker=url, backend=url, set_as_current=False)

    def echo(text: str) -> str:
        return text

    app.task(echo, name="echo")
    return app


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def __getattr__(name: str) -> Celery:
    if name == "bare":
        return bare_app(load(RedisSettings).redis_url.get_secret_value())
    raise AttributeError(name)


if __name__ == "__main__":
    main()
