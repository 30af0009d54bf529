"""Redis and MinIO behind TLS on one machine, and workers of another that only know their addresses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import TrainGan
from scheduler import Client
from scheduler.cli.init import certificates, environment
from scheduler.settings import RedisSettings, StoreSettings
from tests.compose.conftest import Compose, engine, ports, stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def head(compose: Compose, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """The heart, open on the engine's own network: what a machine of a local network is to others."""
    folder = tmp_path_factory.mktemp("head")
    network = "{{range .IPAM.Config}}{{.Gateway}}{{end}}"
    address = compose.engine("network", "inspect", "bridge", "--format", network).strip()
    certificates(folder / "certs", [address])
    text = (
        environment([address]) + ports() + f"TRIPTYCH_CERTS={folder / 'certs'}\nTRIPTYCH_ADDRESS={address}\n"
    )
    built = stack(engine(), folder, "head", text, ("docker-compose.yml", "compose.tls.yml"))
    try:
        built.up(workers=0)
        yield built
    finally:
        built("down", "--volumes", "--timeout", "20")


@pytest.fixture
def far(head: Compose, tmp_path: Path) -> Iterator[Compose]:
    """A further machine: another project, on a network of its own."""
    values, ca = head.values, Path(head.values["TRIPTYCH_CERTS"]) / "ca.pem"
    redis = (
        f"rediss://:{values['TRIPTYCH_REDIS_PASSWORD']}@{values['TRIPTYCH_ADDRESS']}:{head.port('REDIS')}/0"
    )
    lines = {
        "TRIPTYCH_REDIS_URL": redis,
        "TRIPTYCH_S3_URL": f"https://{values['TRIPTYCH_ADDRESS']}:{head.port('S3')}",
        "TRIPTYCH_S3_ACCESS_KEY": values["TRIPTYCH_S3_ACCESS_KEY"],
        "TRIPTYCH_S3_SECRET_KEY": values["TRIPTYCH_S3_SECRET_KEY"],
        "TRIPTYCH_CA_FILE": str(ca),
    }
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    built = stack(engine(), tmp_path, "far", text, ("compose.worker.yml",))
    try:
        built.up(workers=2)
        yield built
    finally:
        built("down", "--volumes", "--timeout", "20")


def test_workers_of_another_machine_run_jobs_over_tls(far: Compose) -> None:
    values = far.values
    ca = Path(values["TRIPTYCH_CA_FILE"])
    client = Client(
        RedisSettings(redis_url=values["TRIPTYCH_REDIS_URL"], ca_file=ca),
        StoreSettings(
            s3_url=values["TRIPTYCH_S3_URL"],
            s3_access_key=values["TRIPTYCH_S3_ACCESS_KEY"],
            s3_secret_key=values["TRIPTYCH_S3_SECRET_KEY"],
            ca_file=ca,
        ),
    )
    spec = TrainGan(architecture="mlp", dataset="digits", epochs=3, sample_every=3)
    jobs = [client.submit(spec.model_copy(update={"seed": seed})) for seed in range(4)]
    assert all(job.wait(300).steps for job in jobs)
    assert {worker.name for worker in client.workers.living()} == {
        f"cpu@{container[:12]}" for container in far.containers("worker-cpu")
    }
