"""Prunes many jobs, killed ten times on the way, and lets the doctor look at what is there in the end.

python -m bench.pruning [COUNT]
"""

import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.stack import PLUGIN

sys.path.insert(0, str(PLUGIN))
from triptych_trial.spec import Echo

from scheduler import Client
from scheduler.connection import PREFIX
from scheduler.doctor import Doctor
from tests.history import enter, prune
from tests.servers import redis_server, s3_server

KILLS = 10
DAY = 86400.0


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with (
        tempfile.TemporaryDirectory(prefix="triptych-bench-") as name,
        redis_server(Path(name)) as redis,
        s3_server(Path(name)) as store,
    ):
        client = Client(redis, store)
        client.store.ensure_bucket()
        fill(client, size)
        ended, began = f"{PREFIX}ended", time.monotonic()
        forks = multiprocessing.get_context("forkserver")
        forks.set_forkserver_preload(["tests.history"])
        for kill in range(1, KILLS + 1):
            process = forks.Process(target=prune, args=(redis, store, 30 * DAY, Echo.kind))
            process.start()
            while client.records.redis.zcard(ended) > size // 10 + size - kill * size // (KILLS + 1):
                time.sleep(0.01)
            process.kill()
            process.join()
            print(f"killed at {client.records.redis.zcard(ended)} left", flush=True)
        client.prune(30 * DAY, kind=Echo.kind)
        seconds = time.monotonic() - began
        left = {item.key.split("/")[1] for item in client.store.under("jobs/")}
        young = {f"{size + number:016x}" for number in range(size // 10)}
        found = Doctor(client.records, client.store, grace=0.0).look()
        print(f"{size} jobs pruned in {seconds:.0f} s, killed {KILLS} times: {size / seconds:.0f} a second")
        print(f"all others are there, and nothing else: {left == young}; the doctor: {found.healthy}")


def fill(client: Client, size: int) -> None:
    """Old jobs, and a tenth as many younger ones."""
    jobs = [(f"{number:016x}", 40.0) for number in range(size)]
    jobs += [(f"{size + number:016x}", 1.0) for number in range(size // 10)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda job: enter(client, job[0], days=job[1], left={"logs/1.log": 9}), jobs))


if __name__ == "__main__":
    main()
