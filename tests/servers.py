"""Real servers for tests, started as the stack starts them; a missing one is a failure under CI=true."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import SecretStr

from scheduler.embedded import Stack, programs
from scheduler.embedded.home import Home, last_line
from scheduler.embedded.minio_server import MinIO
from scheduler.embedded.process import Process
from scheduler.embedded.python_parts import FLOWER_DOOR
from scheduler.embedded.redis_server import DOOR as REDIS_DOOR
from scheduler.embedded.redis_server import RedisServer
from scheduler.embedded.s3_server import S3Server
from scheduler.embedded.seaweedfs import SeaweedFS
from scheduler.embedded.service import Service
from scheduler.errors import StackError
from scheduler.settings import RedisSettings, StoreSettings
from tests.ports import free_port


def missing(what: str) -> NoReturn:
    """A laptop may lack a server; the machine that decides what lands may not."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")


def wait_until(true: Callable[[], bool], seconds: float = 120, what: str = "it") -> None:
    """Looks often and gives up late: a busy machine is slow, and no test asserts a time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} did not happen in {seconds} s"
        time.sleep(0.05)


@contextmanager
def running(service: Service, log: Path) -> Iterator[Process]:
    """A service of the stack, ready."""
    process = Process(service, log)
    try:

        def answers() -> bool:
            assert process.exit_code() is None, f"{service.name} ended at once: {last_line(log)}"
            return service.ready()

        wait_until(answers, what=f"an answer of {service.name}")
        yield process
    finally:
        process.end(service.stop_seconds)


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisSettings]:
    """A Redis of its own, with a password."""
    service = redis_service(folder)
    with running(service, folder / "redis.log"):
        yield RedisSettings(redis_url=SecretStr(service.url))


def redis_service(folder: Path) -> RedisServer:
    """The service behind `redis_server`, not yet started."""
    try:
        program = programs.redis_server()
    except StackError as error:
        missing(str(error))
    return RedisServer(program, folder / "redis", free_port(), "a-password-of-tests")


@contextmanager
def s3_server(folder: Path, kind: str = "seaweed") -> Iterator[StoreSettings]:
    """An S3 server of its own, with keys and its bucket; `kind` is seaweed or minio."""
    service = s3_service(folder, kind)
    with running(service, folder / f"{kind}.log"):
        yield StoreSettings(
            s3_url=service.address,
            s3_access_key=SecretStr(service.access_key),
            s3_secret_key=SecretStr(service.secret_key),
        )


def s3_service(folder: Path, kind: str) -> S3Server:
    """The service behind `s3_server`, not yet started."""
    keys = ("an-access-key", "a-secret-key-of-tests")
    if kind == "minio":
        program = find_minio()
        if program is None:
            missing("minio")
        ports = {door.name: free_port() for door in MinIO.doors}
        return MinIO(program, folder / "minio", ports, *keys)
    program = programs.weed()
    if program is None:
        missing("weed")
    ports = {door.name: free_port(also=max(door.also, default=0)) for door in SeaweedFS.doors}
    return SeaweedFS(program, folder / "seaweedfs", ports, *keys)


@contextmanager
def stack(root: Path, kind: str = "seaweed") -> Iterator[Stack]:
    """The whole stack in a home of its own, up and ready, with an S3 server of the kind."""
    with stack_surroundings(kind):
        remember_free_ports(root)
        whole = Stack(root)
        with ended_with_the_tests(root):
            try:
                whole.up_detached()
                yield whole
            finally:
                whole.down()


#: Waits for the end of its input, which is that of the process that holds the other end of the pipe.
_LAST = """
import sys
from pathlib import Path
sys.stdin.read()
from scheduler.embedded import Stack
Stack(Path(sys.argv[1])).down()
"""


@contextmanager
def ended_with_the_tests(root: Path) -> Iterator[None]:
    """A detached stack outlives whoever has started it; here it ends even if the tests are killed."""
    command = [sys.executable, "-c", _LAST, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as watcher:
        try:
            yield
        finally:
            watcher.kill()


@contextmanager
def stack_surroundings(kind: str) -> Iterator[None]:
    """An environment in which the stack takes this kind of S3 server and holds no spare runner."""
    minio = find_minio()
    if kind == "minio" and minio is None:
        missing("minio")
    if kind == "seaweed" and programs.weed() is None:
        missing("weed")
    folders = [
        folder for folder in os.environ["PATH"].split(os.pathsep) if not (Path(folder) / "minio").exists()
    ]
    if kind == "minio":
        folders.insert(0, str(minio.parent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join(folders))
        # A spare runner costs 600 MiB and saves time that no test asserts.
        patch.setenv("TRIPTYCH_WARM_RUNNERS", "0")
        for name in ("REDIS_URL", "S3_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
            patch.delenv(f"TRIPTYCH_{name}", raising=False)
        yield


def remember_free_ports(root: Path) -> None:
    """Gives a new home ports that no stack beside it prefers."""
    doors = [FLOWER_DOOR, REDIS_DOOR, *SeaweedFS.doors]
    ports = {door.name: free_port(also=max(door.also, default=0)) for door in doors}
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    Home(root).ports.write_text(json.dumps(ports))
    Home(root).ports.chmod(0o600)


def find_minio() -> Path | None:
    """The MinIO to test with: named by TRIPTYCH_TEST_MINIO, on the PATH, or where Go installs programs."""
    named = os.environ.get("TRIPTYCH_TEST_MINIO")
    found = named or shutil.which("minio") or str(Path.home() / "go" / "bin" / "minio")
    return Path(found) if os.access(found, os.X_OK) else None
