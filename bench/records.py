"""What 10,000 finished jobs in the records cost whoever lists jobs, and what long jobs send of their metrics.

    python -m bench.records [listing] [metrics]

Of the metrics it shows the bytes sent by jobs of 1, 10 and 100 hours, with two reports a second and an upload
every ten, both scaled down to a tenth. What is sent for each byte of the file must not grow with its size.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.medians import median_milliseconds
from bench.stack import PLUGIN

sys.path.insert(0, str(PLUGIN))
from triptych_trial.spec import Echo

from jobs.checkpoints.reports import line_of
from jobs.context import Progress
from scheduler.artifacts import ArtifactStore
from scheduler.connection import connect
from scheduler.keys import JobKeys
from scheduler.queue import make_app
from scheduler.record import NewJob
from scheduler.records import Records
from scheduler.recovery import Recovery
from scheduler.settings import LeaseSettings, RedisSettings, StoreSettings
from scheduler.states import JobState
from tests.servers import redis_server, s3_server
from worker.__main__ import connection
from worker.metrics import SentMetrics

JOBS = 10_000
TIMES = 10


#: Uploads in an hour, and reports in an upload, a tenth of a job's.
UPLOADS, REPORTS = 36, 2


def main() -> None:
    wanted = sys.argv[1:] or ("listing", "metrics")
    with tempfile.TemporaryDirectory(prefix="triptych-bench-") as name:
        folder = Path(name)
        with redis_server(folder) as redis, s3_server(folder) as store:
            if "listing" in wanted:
                listing(folder, redis, store)
            if "metrics" in wanted:
                metrics(folder, store)


def listing(folder: Path, redis: RedisSettings, store: StoreSettings) -> None:
    """What many records cost."""
    records = Records(connect(redis))
    recovery = Recovery(records, ArtifactStore(store), make_app(redis), LeaseSettings())
    variables = {
        **os.environ,
        **connection(redis, store),
        "TRIPTYCH_HOME": str(folder / "home"),
        "PYTHONPATH": str(PLUGIN),
    }

    def command(*arguments: str) -> Callable[[], object]:
        line = [str(Path(sys.executable).parent / "triptych"), *arguments]
        return lambda: subprocess.run(line, env=variables, check=True, capture_output=True)

    for count in (0, JOBS):
        fill(records, count)
        print(f"{count} jobs in the records, median of {TIMES}:")
        for what, action in (
            ("triptych --help", command("--help")),
            ("triptych jobs", command("jobs")),
            ("triptych jobs --state SUCCEEDED --kind trial.echo", command(*FILTERED)),
            ("one round of recovery", recovery.round),
        ):
            print(f"  {what}: {median_milliseconds(action, TIMES):.1f} ms", flush=True)


class Counting(ArtifactStore):
    """Counts the bytes that are sent to it."""

    sent = 0

    def put(self, key: str, content: bytes, content_type: str = "") -> None:
        """Counts."""
        super().put(key, content, content_type)
        self.sent += len(content)

    def put_file(self, key: str, path: Path, content_type: str = "") -> None:
        """Counts."""
        super().put_file(key, path, content_type)
        self.sent += path.stat().st_size


def metrics(folder: Path, settings: StoreSettings) -> None:
    """What jobs of some lengths send, and what they would if each upload were the whole file."""
    print("metrics sent by a job, scaled down:")
    for hours in (1, 10, 100):
        store, keys = Counting(settings), JobKeys(f"hours-{hours}")
        path = folder / f"{hours}.jsonl"
        sending = SentMetrics(store, keys, 1, path)
        whole = most = 0
        for step in range(1, hours * UPLOADS * REPORTS + 1):
            losses = {"d_loss": 0.4134, "g_loss": 1.2087, "images_per_second": 8714.2}
            sending.add(line_of(Progress(step, step, "epoch 3/20", losses), time=round(time.time(), 3)))
            if step % REPORTS == 0:
                sending.send()
                whole += path.stat().st_size
            if step % (hours * UPLOADS // 4) == 0:
                most = max(most, len(list(store.under(keys.all_metrics))))
        sending.finish()
        size, left = path.stat().st_size, len(list(store.under(keys.all_metrics)))
        print(
            f"  {hours} h: a file of {size / 1e6:.3f} MB, {store.sent / 1e6:.3f} MB sent, "
            f"{store.sent / size:.1f} times the file (whole at each upload: {whole / 1e6:.1f} MB, "
            f"{whole / size:.0f} times); at most {most} objects seen on the way, {left} at the end",
            flush=True,
        )


FILTERED = ("jobs", "--state", "SUCCEEDED", "--kind", "trial.echo")


def fill(records: Records, count: int) -> None:
    """Enters finished jobs."""
    for number in range(count):
        spec = Echo(text=str(number))
        records.create(
            NewJob(
                id=f"{number:016x}",
                kind=spec.kind,
                pool="cpu",
                priority=5,
                spec=spec.model_dump_json(),
                attempts=5,
            ),
            ended=JobState.SUCCEEDED,
        )


if __name__ == "__main__":
    main()
