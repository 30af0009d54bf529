"""What a history costs: jobs that ended, in Redis, and then in the archive, beside servers without any.

    python -m bench.history [SIZE ...] [--every N]

For each size two pairs of servers run side by side, both with 100 jobs of this day, and one of them with the
history as well; each measurement alternates between them, and the ratio is that of the medians. Up to 100,000
ended jobs are first entered into Redis, and 2,000 of them archived as the clean-up does it. All others are
written into the archive here, as it would have written them (which is compared for one of them): all lines of
all days, and the records of every Nth job (by default of all up to 100,000 jobs, else of one in ten) and of
all jobs of the last day.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from json import dumps
from pathlib import Path
from statistics import median

from bench.stack import PLUGIN

sys.path.insert(0, str(PLUGIN))
from triptych_trial.spec import Echo

from scheduler import Client, JobState
from scheduler.archive import Kept
from scheduler.archiving import Archiving
from scheduler.capacity import memory
from scheduler.queue import make_app
from scheduler.record import NewJob
from scheduler.recovery import Recovery
from scheduler.scripts import Scripts
from scheduler.settings import LeaseSettings
from tests.servers import redis_server, s3_server
from worker.__main__ import connection

TIMES = 7
#: Jobs at the most that are entered into Redis, and that are archived as the clean-up does it; a step of it;
#: and jobs of this day.
IN_REDIS, ARCHIVED, STEP, RECENT = 100_000, 2_000, 50, 100
#: Seconds in which Redis has made its tables as small as what is left.
SETTLED = 5.0
#: Over so many days, of which the last is so long ago.
DAYS, AGO = 100, 100
numbers = count()


@dataclass
class Side:
    """A pair of servers."""

    client: Client
    variables: dict[str, str]
    recovery: Recovery


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", nargs="*", type=int, default=[1_000, 10_000])
    parser.add_argument("--every", type=int, default=0)
    options = parser.parse_args()
    for size in options.sizes:
        every = options.every or (1 if size <= IN_REDIS else 10)
        with ExitStack() as servers, tempfile.TemporaryDirectory(prefix="triptych-bench-") as name:
            empty, full = (side(servers, Path(name) / each) for each in ("empty", "full"))
            history(empty, full, size, every)


def side(servers: ExitStack, folder: Path) -> Side:
    """Starts a pair."""
    folder.mkdir()
    redis = servers.enter_context(redis_server(folder))
    store = servers.enter_context(s3_server(folder))
    client = Client(redis, store)
    client.store.ensure_bucket()
    variables = {**os.environ, **connection(redis, store), "PYTHONPATH": str(PLUGIN)}
    variables["TRIPTYCH_HOME"] = str(folder / "home")
    return Side(client, variables, Recovery(client.records, client.store, make_app(redis), LeaseSettings()))


def history(empty: Side, full: Side, size: int, every: int) -> None:
    """One size."""
    client, ids = full.client, [job_id(number) for number in range(size)]
    for each_side in (empty, full):
        for number in range(RECENT):
            enter(each_side.client, size + number, size, ended=START)
    # Of a longer history, what Redis holds at most is measured by a shorter one.
    before, in_redis = used(client), size if size <= IN_REDIS else ARCHIVED
    for number in range(in_redis):
        enter(client, number, size)
    print(f"{in_redis} ended jobs in Redis: {(used(client) - before) / in_redis:.0f} bytes each")
    measured(empty, full)
    model, began = Kept(read(client, ids[0])), time.monotonic()
    really = min(in_redis, ARCHIVED)
    archiving = Archiving(client.records, client.archive)
    moved = sum(len(archiving.move(ids[first : first + STEP])) for first in range(0, really, STEP))
    seconds = time.monotonic() - began
    print(
        f"archived {moved} of {really}, one step after the other: {moved / seconds:.0f} a second", flush=True
    )
    assert client.archive.get(ids[0]) == model == written(model, 0, size), "it is written in another way here"
    began = time.monotonic()
    wrote = write(client, model, range(really, size), size, every)
    for each in ids[really:in_redis]:
        Scripts(client.records.redis).run("archive", each, "")
    for key in client.records.redis.scan_iter(match="triptych:archived:*", count=1000):
        client.records.redis.delete(key)  # gone in a minute
    time.sleep(SETTLED)
    print(
        f"{size} archived jobs ({wrote} records and {size - really} lines written in "
        f"{time.monotonic() - began:.0f} s); Redis: {(used(client) - used(empty.client)) / 1e6:.2f} MB more "
        "than the one with no history",
        flush=True,
    )
    measured(empty, full)
    shown(full, ids[(size - 1) // every // 2 * every], ids[-1])


def job_id(number: int) -> str:
    """Of a job, as evenly spread as real ones."""
    return f"{(number + 1) * 11400714819323198485 % 2**64:016x}"


def ended_at(number: int, size: int) -> float:
    """When a job ended."""
    return START - (AGO + DAYS - DAYS * number / size) * 86400


START = time.time()


def enter(client: Client, number: int, size: int, ended: float = 0.0) -> None:
    """Into Redis, as `triptych recover` enters what has ended."""
    name, ended = job_id(number), ended or ended_at(number, size)
    past = {"created": f"{ended - 60:.6f}", "finished": f"{ended:.6f}", "attempt": "1"}
    job = NewJob(
        name, Echo.kind, "cpu", 5, spec_of(number), attempts=5, fingerprint=f"like-{name}", past=past
    )
    client.records.create(job, ended=JobState.FAILED)


def spec_of(number: int) -> str:
    return dumps(Echo(text=str(number)).to_wire())


def read(client: Client, name: str) -> dict[str, str]:
    return client.records.redis.hgetall(f"triptych:job:{name}")  # type: ignore[return-value]


def written(model: Kept, number: int, size: int) -> Kept:
    """The record of a job as Redis would have it, from that of another one."""
    name, ended = job_id(number), ended_at(number, size)
    own = {
        "id": name,
        "spec": spec_of(number),
        "fingerprint": f"like-{name}",
        "created": f"{ended - 60:.6f}",
        "finished": f"{ended:.6f}",
    }
    return Kept(model.fields | own)


def write(client: Client, model: Kept, numbers: range, size: int, every: int) -> int:
    """Writes lines day by day, and records; how many of these."""
    last, wrote = size - size // DAYS, 0
    with ThreadPoolExecutor(16) as threads:
        for first in range(numbers.start, numbers.stop, max(size // DAYS, 1)):
            some = range(first, min(first + max(size // DAYS, 1), numbers.stop))
            kept = [written(model, number, size) for number in some]
            chosen = [
                each for number, each in zip(some, kept, strict=True) if number % every == 0 or number >= last
            ]
            list(threads.map(client.archive.put, chosen))
            client.archive.add(kept)
            wrote += len(chosen)
    return wrote


def used(client: Client) -> int:
    return memory(client.records.redis).used


def measured(empty: Side, full: Side) -> None:
    """Prints medians and their ratio."""
    actions: dict[str, Callable[[Side], object]] = {
        "triptych jobs": lambda side: command(side, "jobs"),
        "Client.list": lambda side: side.client.list(),
        "a round of recovery": lambda side: side.recovery.round(),
        "a submit": lambda side: side.client.submit(Echo(text=str(next(numbers)))),
    }
    for name, action in actions.items():
        found = list(zip(*alternating(lambda: action(empty), lambda: action(full)), strict=True))  # noqa: B023
        one, other = (median(times) for times in found)
        print(
            f"  {name}: {other * 1e3:.1f} ms, with no history {one * 1e3:.1f} ms: {other / one:.2f} times",
            flush=True,
        )


def alternating(*actions: Callable[[], object]) -> Iterator[tuple[float, ...]]:
    """Seconds of each action, several times one after the other."""
    for turn in range(TIMES + 1):
        seconds = []
        for action in actions:
            began = time.monotonic()
            action()
            seconds.append(time.monotonic() - began)
        if turn:  # the first time, much is loaded
            yield tuple(seconds)


def command(side: Side, *arguments: str) -> None:
    line = [str(Path(sys.executable).parent / "triptych"), *arguments]
    subprocess.run(line, env=side.variables, check=True, capture_output=True)


def shown(full: Side, name: str, newest: str) -> None:
    """What reads the archive."""
    client = full.client
    actions = {
        "triptych --version, to compare": lambda: command(full, "--version"),
        "triptych show, archived": lambda: command(full, "show", name),
        "triptych show, archived, by 8 signs of its id": lambda: command(full, "show", newest[:8]),
        "Client.get and record, archived": lambda: client.get(name).record,
        "triptych jobs --since 400d --kind trial.echo": lambda: command(
            full, "jobs", "--since", "400d", "--kind", "trial.echo"
        ),
        "Client.list of a day, 20 jobs": lambda: client.list(
            limit=20, since=0.0, until=START - AGO * 86400 - 43200
        ),
    }
    for what, action in actions.items():
        before = os.times()
        seconds = median(each for (each,) in alternating(action))
        after = os.times()
        spent = sum(after[:4]) - sum(before[:4])
        print(
            f"  {what}: {seconds * 1e3:.0f} ms ({spent / (TIMES + 1) * 1e3:.0f} ms of a processor)",
            flush=True,
        )


if __name__ == "__main__":
    main()
