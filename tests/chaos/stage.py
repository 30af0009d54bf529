"""Servers, schedulers and workers as processes, restarted when they end: what faults strike."""

import os
import secrets
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from scheduler import Client
from scheduler.embedded import guard
from scheduler.embedded.process import Process
from scheduler.embedded.redis_server import RedisServer
from scheduler.embedded.service import Service
from scheduler.settings import RedisSettings, StoreSettings
from tests.chaos.proxy import Proxy
from tests.processes import family, is_alive
from tests.servers import redis_service, s3_service, wait_until
from worker.__main__ import connection

#: Times scaled down, so that faults outlast them in seconds: a lease of 3 s in place of 15, and so on.
SCALED = {
    "TRIPTYCH_LEASE_SECONDS": "3",
    "TRIPTYCH_HEARTBEAT_SECONDS": "0.3",
    "TRIPTYCH_SWEEP_SECONDS": "0.3",
    "TRIPTYCH_OUTBOX_SECONDS": "1",
    "TRIPTYCH_STOP_SECONDS": "3",
    "TRIPTYCH_REDIS_TIMEOUT": "1",
    "TRIPTYCH_VISIBILITY_SECONDS": "5",
}
LEASE_SECONDS = float(SCALED["TRIPTYCH_LEASE_SECONDS"])
#: In the environment of every process of a stage and of nothing else: only those are ever signalled.
MARK = "TRIPTYCH_CHAOS_STAGE"


@dataclass
class Server:
    """Redis or the S3 server, started again on the same data."""

    service: Service
    log: Path
    process: Process
    absent_until: float = 0.0  #: not started again before this, by `time.monotonic`

    @property
    def up(self) -> bool:
        return self.process.exit_code() is None


@dataclass
class Member:
    """A worker or a scheduler."""

    name: str
    module: str
    variables: Mapping[str, str]
    log: Path
    process: "subprocess.Popen[bytes]"
    clock: Path | None = None
    line: Proxy | None = None  #: between a worker and Redis
    asleep: list[int] = field(default_factory=list)  #: its processes while they are stopped

    @property
    def up(self) -> bool:
        return self.process.poll() is None and not self.asleep


class Stage:
    """All that a chaos run needs. Used from one thread: with it, on Linux, all that it started ends."""

    def __init__(
        self, folder: Path, workers: int = 2, schedulers: int = 2, slots: int = 4, store: str = "seaweed"
    ) -> None:
        self.folder = folder
        self.mark = secrets.token_hex(8)
        self.redis_service: RedisServer = redis_service(folder)
        s3 = s3_service(folder, store)
        self.redis = self._serve(self.redis_service)
        self.store = self._serve(s3)
        self.redis_settings = RedisSettings(redis_url=SecretStr(self.redis_service.url))
        self.store_settings = StoreSettings(
            s3_url=s3.address, s3_access_key=SecretStr(s3.access_key), s3_secret_key=SecretStr(s3.secret_key)
        )
        for server in (self.redis, self.store):
            wait_until(server.service.ready, what=f"an answer of {server.service.name}")
        self.store_line = Proxy(s3.ports["s3"])
        self.workers = [self._worker(number, slots) for number in range(workers)]
        self.schedulers = [self._start("scheduler", number) for number in range(schedulers)]
        self.starts = 0  #: processes started again
        self.client = Client(self.redis_settings, self.store_settings)

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        """Ends everything: what is asleep is woken first, so that it can end."""
        for member in self.members:
            self.wake(member)
            if member.process.poll() is None:
                member.process.terminate()
        for member in self.members:
            try:
                member.process.wait(15)
            except subprocess.TimeoutExpired:
                member.process.kill()
                member.process.wait()
        for line in (self.store_line, *(worker.line for worker in self.workers)):
            if line:
                line.close()
        for server in (self.store, self.redis):
            server.process.end(server.service.stop_seconds)

    @property
    def members(self) -> list[Member]:
        return [*self.workers, *self.schedulers]

    def tend(self) -> None:
        """Starts again what has ended."""
        now = time.monotonic()
        for server in (self.redis, self.store):
            if not server.up and now >= server.absent_until:
                server.process.forget()
                server.process = Process(server.service, server.log)
                self.starts += 1
        for member in self.members:
            if member.process.poll() is not None:
                member.asleep.clear()
                member.process = self._spawn(member.module, member.variables, member.log)
                self.starts += 1

    def servers_answer(self) -> bool:
        return all(server.up and server.service.ready() for server in (self.redis, self.store))

    def owns(self, pid: int) -> bool:
        """Whether a process belongs to this stage; only those may be signalled."""
        try:
            return f"{MARK}={self.mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False

    def leftover_runners(self) -> list[int]:
        """Processes of the stage that descend from none of its members: they have outlived their worker."""
        known = {pid for member in self.members for pid in family(member.process.pid)}
        found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in found if pid not in known and self.owns(pid) and is_alive(pid)]

    def sleep(self, member: Member) -> None:
        """Stops a member and all its processes, the parent first, so that it cannot see its children stop."""
        member.asleep = [pid for pid in family(member.process.pid) if self.owns(pid)]
        for pid in member.asleep:
            os.kill(pid, signal.SIGSTOP)

    def wake(self, member: Member) -> None:
        for pid in reversed(member.asleep):
            if self.owns(pid):
                os.kill(pid, signal.SIGCONT)
        member.asleep.clear()

    def set_clock(self, member: Member, error: float) -> None:
        assert member.clock
        with member.clock.open("r+b") as file:
            file.write(struct.pack("d", error))

    def _serve(self, service: Service) -> Server:
        log = self.folder / f"{service.name}.log"
        return Server(service, log, Process(service, log))

    def _worker(self, number: int, slots: int) -> Member:
        clock = self.folder / f"clock-{number}"
        clock.write_bytes(struct.pack("d", 0.0))
        line = Proxy(self.redis_service.port)
        address = urlsplit(self.redis_service.url)
        url = self.redis_service.url.replace(f":{address.port}/", f":{line.port}/")
        wrong_clock = str(Path(__file__).parent / "clock")
        variables = {
            "TRIPTYCH_REDIS_URL": url,
            "TRIPTYCH_S3_URL": f"http://127.0.0.1:{self.store_line.port}",
            "TRIPTYCH_SLOTS": str(slots),
            "TRIPTYCH_THREADS": "1",
            "TRIPTYCH_CHAOS_CLOCK": str(clock),
            "PYTHONPATH": os.pathsep.join((wrong_clock, os.environ.get("PYTHONPATH", ""))),
        }
        member = self._start("worker", number, variables)
        member.clock, member.line = clock, line
        return member

    def _start(self, module: str, number: int, variables: Mapping[str, str] | None = None) -> Member:
        name = f"{module}-{number}"
        variables = {"TRIPTYCH_WORKER_NAME": name, **(variables or {})}
        log = self.folder / f"{name}.log"
        return Member(name, module, variables, log, self._spawn(module, variables, log))

    def _spawn(self, module: str, variables: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
        environment = {
            **os.environ,
            **connection(self.redis_settings, self.store_settings),
            **SCALED,
            "TRIPTYCH_WARM_RUNNERS": "0",
            "TRIPTYCH_HOME": str(self.folder / "home"),
            "TRIPTYCH_CACHE": str(self.folder / "cache"),
            MARK: self.mark,
            **variables,
        }
        # Through the guard, so that nothing is left running where the tests themselves are killed.
        guarded = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), "-1"]
        with log.open("ab") as output:
            return subprocess.Popen(
                [*guarded, sys.executable, "-m", module],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
