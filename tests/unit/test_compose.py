"""docker-compose.yml and Dockerfile, as they are written; what they do on an engine is not tested here."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SECRETS = ("REDIS_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY", "FLOWER_PASSWORD")

service = pytest.mark.parametrize("name", sorted(SERVICES))


@service
def test_every_service_is_shut_off_from_what_it_does_not_need(name: str) -> None:
    written = SERVICES[name]
    assert written["read_only"] is True
    assert written["cap_drop"] == ["ALL"]
    assert written["security_opt"] == ["no-new-privileges:true"]
    assert written["logging"]["options"].keys() == {"max-size", "max-file"}


@service
def test_every_service_that_stays_has_a_memory_limit_and_says_whether_it_is_healthy(name: str) -> None:
    written = SERVICES[name]
    if written["restart"] == "no":
        return
    assert written["deploy"]["resources"]["limits"]["memory"]
    assert "healthcheck" in written or written["build"]["target"] in ("cpu", "gpu")  # in the Dockerfile


@service
def test_no_service_runs_as_root(name: str) -> None:
    written = SERVICES[name]
    if "build" in written:
        stage = DOCKERFILE.split(f" AS {written['build']['target']}\n")[1].split("\nFROM ")[0]
        assert re.findall(r"^USER (\w+)$", stage, re.MULTILINE) == ["triptych"]
    else:
        assert written["user"].partition(":")[0] not in ("", "0", "root")


@service
def test_every_port_is_open_on_this_machine_alone_unless_told_otherwise(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert port.startswith("${TRIPTYCH_BIND:-127.0.0.1}:")


def test_no_secret_is_written_down_and_each_is_asked_for() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name in SECRETS:
        uses = re.findall(rf"\$\{{TRIPTYCH_{name}([^}}]*)\}}", text)
        assert uses and all(use == ":?run `triptych init` first" for use in uses)


def test_workers_have_the_time_to_drain() -> None:
    assert all(SERVICES[name]["stop_grace_period"] == "90s" for name in ("worker-cpu", "worker-gpu"))


def test_docker_compose_reads_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    environment = {f"TRIPTYCH_{name}": "x" for name in SECRETS}
    command = [docker, "compose", "--profile", "*", "config", "--quiet"]
    subprocess.run(
        command, cwd=ROOT, env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), **environment}, check=True
    )
