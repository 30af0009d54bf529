"""The compose file on a real engine: `make test-compose`. Skipped where no engine answers."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scheduler import Client
from scheduler.cli.init import environment
from scheduler.settings import RedisSettings, StoreSettings

ROOT = Path(__file__).parents[2]
WORKERS = 3


@dataclass(frozen=True)
class Compose:
    """One stack in containers, with ports and volumes of its own."""

    docker: str
    project: str
    file: Path  #: its `.env`
    values: dict[str, str]
    files: tuple[str, ...] = ("docker-compose.yml",)

    def __call__(self, *arguments: str, seconds: float = 180) -> str:
        """`docker compose` with these arguments; what it prints."""
        files = [part for name in self.files for part in ("-f", name)]
        command = [
            self.docker,
            "compose",
            "-p",
            self.project,
            *files,
            "--env-file",
            str(self.file),
            *arguments,
        ]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, env=clean_environment()
        )
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def up(self, workers: int = WORKERS) -> None:
        """Starts what does not run, and ends workers that are too many."""
        self("up", "-d", "--wait", "--pull", "never", "--no-build", "--scale", f"worker-cpu={workers}")

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers."""
        return self("--profile", "*", "ps", "-q", service).split()

    def inspect(self, container: str, template: str) -> str:
        """One property of a container or an image."""
        return self.engine("inspect", "--format", template, container).strip()

    def engine(self, *arguments: str, seconds: float = 120) -> str:
        """`docker` with these arguments; what it prints."""
        done = subprocess.run(
            [self.docker, *arguments], capture_output=True, text=True, check=True, timeout=seconds
        )
        return done.stdout + done.stderr

    def has_image(self, repository: str) -> bool:
        """Whether any version of an image is on this machine."""
        return bool(self.engine("images", "-q", repository).strip())

    def port(self, name: str) -> int:
        """A port on this machine."""
        return int(self.values[f"TRIPTYCH_{name}_PORT"])

    def client(self) -> Client:
        """A client on the host."""
        redis = f"redis://:{self.values['TRIPTYCH_REDIS_PASSWORD']}@127.0.0.1:{self.port('REDIS')}/0"
        return Client(
            RedisSettings(redis_url=redis),
            StoreSettings(
                s3_url=f"http://127.0.0.1:{self.port('S3')}",
                s3_access_key=self.values["TRIPTYCH_S3_ACCESS_KEY"],
                s3_secret_key=self.values["TRIPTYCH_S3_SECRET_KEY"],
            ),
        )


def clean_environment() -> dict[str, str]:
    """The environment without settings of Triptych, which would win over the file."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TRIPTYCH_")}


PORTS = ("REDIS", "S3", "CONSOLE", "FLOWER", "EXPORTER", "GRAFANA")


def engine() -> str:
    """The program that speaks to a container engine which answers."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True).returncode:
        pytest.skip("no container engine answers")
    return docker


def stack(
    docker: str, folder: Path, project: str, text: str, files: tuple[str, ...] = ("docker-compose.yml",)
) -> Compose:
    """A stack with a `.env` of its own, not yet up."""
    file = folder / "env"
    file.write_text(text)
    values = dict(line.split("=", 1) for line in text.splitlines())
    return Compose(docker, f"triptych-test-{project}{os.getpid()}", file, values, files)


def ports() -> str:
    return "".join(f"TRIPTYCH_{name}_PORT={free_port()}\n" for name in PORTS)


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


@pytest.fixture(scope="session")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    folder = tmp_path_factory.mktemp("compose")
    built = stack(engine(), folder, "", environment() + ports())
    built("build", "scheduler", "worker-cpu", seconds=1500)
    try:
        began = time.monotonic()
        built.up()
        print(f"all services were healthy after {time.monotonic() - began:.1f} s")
        yield built
    finally:
        built("--profile", "*", "down", "--volumes", "--timeout", "20")
