"""What 10,000 finished jobs in the records cost whoever lists jobs, and the scheduler's rounds.

python -m bench.records
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.stack import PLUGIN

sys.path.insert(0, str(PLUGIN))
from triptych_trial.spec import Echo

from scheduler.artifacts import ArtifactStore
from scheduler.queue import make_app
from scheduler.records import NewJob, Records, connect
from scheduler.recovery import Recovery
from scheduler.settings import LeaseSettings
from scheduler.states import JobState
from tests.servers import redis_server, s3_server
from worker.__main__ import connection

JOBS = 10_000
TIMES = 10


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="triptych-bench-") as name:
        folder = Path(name)
        with redis_server(folder) as redis, s3_server(folder) as store:
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
                    print(f"  {what}: {milliseconds(action):.1f} ms", flush=True)


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


def milliseconds(action: Callable[[], object]) -> float:
    action()
    times = []
    for _ in range(TIMES):
        began = time.monotonic()
        action()
        times.append(time.monotonic() - began)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    main()
