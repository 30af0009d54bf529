"""What a long history costs: ended jobs in Redis, and then in the archive.

    python -m bench.history [COUNT ...]

For each count it enters so many jobs that ended, measures `triptych jobs`, a round of recovery and a submit,
archives them all as the clean-up does, and measures again, with `triptych show` and `triptych jobs --since`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from bench.medians import median_milliseconds
from bench.stack import PLUGIN

sys.path.insert(0, str(PLUGIN))
from triptych_trial.spec import Echo

from scheduler import Client, JobState
from scheduler.archiving import Archiving
from scheduler.capacity import memory
from scheduler.queue import make_app
from scheduler.record import NewJob
from scheduler.recovery import Recovery
from scheduler.settings import LeaseSettings, RedisSettings, StoreSettings
from tests.servers import redis_server, s3_server
from worker.__main__ import connection

TIMES = 5
#: Archived by so many at once, in steps of so many.
THREADS, STEP = 4, 50
numbers = count()


def main() -> None:
    for size in map(int, sys.argv[1:] or ("1000", "10000")):
        with tempfile.TemporaryDirectory(prefix="triptych-bench-") as name:
            folder = Path(name)
            with redis_server(folder) as redis, s3_server(folder) as store:
                history(folder, redis, store, size)


def history(folder: Path, redis: RedisSettings, store: StoreSettings, size: int) -> None:
    """One count."""
    client = Client(redis, store)
    client.store.ensure_bucket()
    empty = memory(client.records.redis).used
    measured(folder, redis, store, client, "an empty history")
    ids = fill(client, size)
    print(f"{size} ended jobs in Redis: {(memory(client.records.redis).used - empty) / size:.0f} bytes each")
    measured(folder, redis, store, client, f"{size} ended jobs in Redis")
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as threads:
        moved = sum(
            threads.map(lambda some: len(Archiving(client.records, client.archive).move(some)), steps(ids))
        )
    seconds = time.monotonic() - began
    for key in client.records.redis.scan_iter(match="triptych:archived:*", count=1000):
        client.records.redis.delete(key)  # gone in a minute
    used = memory(client.records.redis).used
    print(f"archived {moved} in {seconds:.1f} s; Redis: {(used - empty) / 1e6:.2f} MB more than when empty")
    measured(folder, redis, store, client, f"{size} archived jobs", shown=ids[size // 2])


def steps(ids: list[str]) -> list[list[str]]:
    """As the clean-up takes them."""
    return [ids[first : first + STEP] for first in range(0, len(ids), STEP)]


def measured(
    folder: Path, redis: RedisSettings, store: StoreSettings, client: Client, what: str, shown: str = ""
) -> None:
    """Prints medians."""
    recovery = Recovery(client.records, client.store, make_app(redis), LeaseSettings())
    variables = {**os.environ, **connection(redis, store), "PYTHONPATH": str(PLUGIN)}
    variables["TRIPTYCH_HOME"] = str(folder / "home")

    def command(*arguments: str) -> Callable[[], object]:
        line = [str(Path(sys.executable).parent / "triptych"), *arguments]
        return lambda: subprocess.run(line, env=variables, check=True, capture_output=True)

    actions = {
        "triptych jobs": command("jobs"),
        "Client.list": client.list,
        "a round of recovery": recovery.round,
        "a submit": lambda: client.submit(Echo(text=str(next(numbers)))),
    }
    if shown:
        actions["triptych show, archived"] = command("show", shown)
        actions["Client.get and result, archived"] = lambda: client.get(shown).record
        actions["triptych jobs --since 400d --kind trial.echo"] = command(
            "jobs", "--since", "400d", "--kind", "trial.echo"
        )
    print(f"{what}, medians of {TIMES}:")
    for name, action in actions.items():
        print(f"  {name}: {median_milliseconds(action, TIMES):.1f} ms", flush=True)


def fill(client: Client, size: int) -> list[str]:
    """Enters jobs that ended over a hundred days, the last of them a hundred days ago."""
    now = time.time()
    ids = [f"{number * 2654435761 % 2**64:016x}" for number in range(1, size + 1)]
    for number, job_id in enumerate(ids):
        ended = now - (200 - 100 * number / size) * 86400
        past = {"created": f"{ended - 60:.6f}", "finished": f"{ended:.6f}", "attempt": "1"}
        spec = json.dumps(Echo(text=str(number)).to_wire())
        job = NewJob(job_id, Echo.kind, "cpu", 5, spec, attempts=5, fingerprint=f"like-{job_id}", past=past)
        client.records.create(job, ended=JobState.FAILED)
    return ids


if __name__ == "__main__":
    main()
