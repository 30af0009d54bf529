"""Workers and schedulers as processes, as a person starts them, on servers of the tests."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scheduler import Client
from scheduler.settings import RedisSettings, StoreSettings
from worker.__main__ import connection


@dataclass
class Cluster:
    """Servers, with processes of ours on them."""

    redis: RedisSettings
    store: StoreSettings
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def client(self) -> Client:
        return Client(self.redis, self.store)

    def start(self, module: str, **variables: str) -> "subprocess.Popen[bytes]":
        name = f"{module}-{len(self.processes)}"
        environment = {
            **os.environ,
            **connection(self.redis, self.store),
            "TRIPTYCH_CACHE": str(self.folder / "cache"),
            "TRIPTYCH_WORKER_NAME": name,
            **self.variables,
            **variables,
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module], env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        self.processes.append(process)
        return process

    def worker(self, **variables: str) -> "subprocess.Popen[bytes]":
        return self.start("worker", **variables)

    def scheduler(self, **variables: str) -> "subprocess.Popen[bytes]":
        return self.start("scheduler", **variables)

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def cluster(redis: RedisSettings, store: StoreSettings, folder: Path, **variables: str) -> Iterator[Cluster]:
    """A cluster without processes yet, on an emptied Redis; what it starts is ended with it."""
    built = Cluster(redis, store, folder, variables)
    built.client().records.redis.flushdb()
    try:
        yield built
    finally:
        built.stop()
