"""The compose files and the Dockerfile, as they are written; what they do on an engine is not tested here."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
FAR: dict[str, Any] = yaml.safe_load((ROOT / "compose.worker.yml").read_text())
TLS: dict[str, Any] = yaml.safe_load((ROOT / "compose.tls.yml").read_text())
#: Those of a further machine stand beside the others.
SERVICES: dict[str, Any] = COMPOSE["services"] | {
    f"far {name}": service for name, service in FAR["services"].items()
}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SECRETS = (
    *("REDIS_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"),
    *("FLOWER_PASSWORD", "METRICS_PASSWORD", "GRAFANA_PASSWORD"),
)

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
    workers = [service for name, service in SERVICES.items() if "worker" in name]
    assert len(workers) == 4
    assert all(service["stop_grace_period"] == "90s" for service in workers)


def test_workers_are_the_same_here_and_on_a_further_machine_but_for_where_the_servers_are() -> None:
    for name in ("worker-cpu", "worker-gpu"):
        here, far = SERVICES[name], SERVICES[f"far {name}"]
        differ = {key for key in here | far if here.get(key) != far.get(key)}
        assert differ == {"environment", "volumes", "depends_on"}
        servers = ("REDIS_URL", "S3_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "CA_FILE")
        settings = here["environment"].keys() | {f"TRIPTYCH_{each}" for each in servers}
        assert far["environment"].keys() == settings


def test_with_tls_no_part_of_the_stack_has_an_address_without_it() -> None:
    speak = {
        name for name, service in COMPOSE["services"].items() if "x-servers" in str(service) or _asks(service)
    }
    assert speak == {name for name, service in TLS["services"].items() if _asks(service)}
    for service in TLS["services"].values():
        for name, value in service.get("environment", {}).items():
            assert value.startswith(("rediss://", "https://", "/")), name
    opened = {name: service["ports"] for name, service in TLS["services"].items() if "ports" in service}
    assert opened.keys() == {"redis", "minio"}
    assert all(
        port.startswith("${TRIPTYCH_ADDRESS:-127.0.0.1}:") for ports in opened.values() for port in ports
    )
    assert "--port 0" in str(TLS["services"]["redis"]["command"])


def _asks(service: dict[str, Any]) -> bool:
    return "TRIPTYCH_REDIS_URL" in service.get("environment", {})


def test_every_image_that_is_not_ours_has_a_version() -> None:
    for service in SERVICES.values():
        if "build" not in service:
            assert re.search(r":\S*\d", service["image"])


@pytest.mark.parametrize(
    "files", [["docker-compose.yml"], ["docker-compose.yml", "compose.tls.yml"], ["compose.worker.yml"]]
)
def test_docker_compose_reads_the_files(files: list[str]) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    environment = {f"TRIPTYCH_{name}": "x" for name in (*SECRETS, "REDIS_URL", "S3_URL")}
    named = [part for file in files for part in ("-f", file)]
    command = [docker, "compose", *named, "--profile", "*", "config", "--quiet"]
    subprocess.run(
        command, cwd=ROOT, env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), **environment}, check=True
    )
