"""Redis and the store behind TLS, with an authority of one's own: who is trusted, and a job all the way."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr
from triptych_trial.spec import Steps

from scheduler.artifacts import ArtifactStore
from scheduler.client import Client
from scheduler.connection import connect
from scheduler.embedded.certificates import write_certificates
from scheduler.embedded.minio_server import MinIO
from scheduler.embedded.python_parts import FlowerPart
from scheduler.embedded.redis_server import RedisServer
from scheduler.errors import Unreachable
from scheduler.settings import RedisSettings, StoreSettings
from tests.cluster import cluster
from tests.ports import free_port
from tests.servers import find_minio, missing, running, wait_until

PASSWORD = "a-password-of-tests"
KEYS = ("an-access-key", "a-secret-key-of-tests")


@dataclass(frozen=True)
class Certificates:
    """`ca.pem`, `public.crt`, `private.key` in a folder, as MinIO looks for them."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def write(self, *names: str) -> "Certificates":
        self.folder.mkdir()
        write_certificates(self.ca, self.folder / "public.crt", self.folder / "private.key", names)
        return self


class SecretRedis(RedisServer):
    """Speaks nothing but TLS."""

    certificates: Certificates

    @property
    def url(self) -> str:
        return super().url.replace("redis://", "rediss://")

    def _settings(self) -> str:
        plain = super()._settings().replace(f"port {self.port}", "port 0")
        plain = plain.replace("bind 127.0.0.1", "bind 127.0.0.1 127.0.0.2")
        folder = self.certificates.folder
        return plain + (
            f"tls-port {self.port}\ntls-cert-file {folder}/public.crt\ntls-key-file {folder}/private.key\n"
            f"tls-ca-cert-file {self.certificates.ca}\ntls-auth-clients no\n"
        )

    def ready(self) -> bool:
        try:
            return bool(connect(trusting(self.url, self.certificates.ca)).ping())
        except OSError:
            return False
        except Exception as error:
            return "Connection" not in type(error).__name__


class SecretMinIO(MinIO):
    """Speaks nothing but TLS."""

    certificates: Certificates

    @property
    def address(self) -> str:
        return super().address.replace("http://", "https://")

    def command(self) -> list[str]:
        return [*super().command(), "--certs-dir", str(self.certificates.folder)]

    def ready(self) -> bool:
        try:
            ArtifactStore(store_of(self, self.certificates.ca)).ensure_bucket()
        except Unreachable:
            return False
        return True


def redis_with_tls(folder: Path) -> Path:
    """A server that was built with TLS, which the bundled one was not.

    Debian's `redis-tools` holds it under the name of a tool; it is the server if it is called so.
    """
    named = os.environ.get("TRIPTYCH_TEST_REDIS") or shutil.which("redis-check-rdb")
    if named is None:
        missing("a redis-server with TLS (Debian's redis-tools)")
    program = folder / "redis-server"
    program.symlink_to(named)
    return program


def trusting(url: str, ca: Path | None) -> RedisSettings:
    return RedisSettings(redis_url=SecretStr(url), ca_file=ca)


def store_of(server: MinIO, ca: Path | None) -> StoreSettings:
    key, secret = (SecretStr(part) for part in KEYS)
    return StoreSettings(s3_url=server.address, s3_access_key=key, s3_secret_key=secret, ca_file=ca)


@dataclass(frozen=True)
class Servers:
    redis: RedisSettings
    store: StoreSettings
    stranger: Certificates  #: another authority


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("tls")
    certificates = Certificates(folder / "certs").write("redis.example")
    minio = find_minio()
    if minio is None:
        missing("minio")
    redis = SecretRedis(redis_with_tls(folder), folder / "redis", free_port(), PASSWORD)
    object.__setattr__(redis, "certificates", certificates)
    s3 = SecretMinIO(minio, folder / "minio", {door.name: free_port() for door in MinIO.doors}, *KEYS)
    object.__setattr__(s3, "certificates", certificates)
    with running(redis, folder / "redis.log"), running(s3, folder / "minio.log"):
        stranger = Certificates(folder / "stranger").write()
        yield Servers(trusting(redis.url, certificates.ca), store_of(s3, certificates.ca), stranger)


def test_a_job_goes_all_the_way_over_tls_and_flower_looks_on(servers: Servers, tmp_path: Path) -> None:
    with cluster(servers.redis, servers.store, tmp_path, TRIPTYCH_WARM_RUNNERS="0") as built:
        built.scheduler()
        built.worker()
        job = built.client().submit(Steps(steps=4, killed_after=2))
        assert job.wait(60).resumed_from == 2
        assert "SUCCEEDED" in job.report()
        variables = {
            "TRIPTYCH_REDIS_URL": servers.redis.redis_url.get_secret_value(),
            "TRIPTYCH_CA_FILE": str(servers.redis.ca_file),
        }
        flower = FlowerPart(tmp_path / "flower", variables, port=free_port(), password=PASSWORD)
        with running(flower, tmp_path / "flower.log"):
            wait_until(lambda: "Connected to rediss://" in (tmp_path / "flower.log").read_text())


@pytest.mark.parametrize("trusted", ["a stranger", "the system"])
def test_a_server_that_nobody_vouches_for_is_refused_and_the_text_says_what_to_do(
    servers: Servers, trusted: str
) -> None:
    ca = servers.stranger.ca if trusted == "a stranger" else None
    with pytest.raises(Unreachable, match=r"Redis at .*set TRIPTYCH_CA_FILE to the file of its authority"):
        Client(servers.redis.model_copy(update={"ca_file": ca}), servers.store)
    store = ArtifactStore(servers.store.model_copy(update={"ca_file": ca}))
    with pytest.raises(
        Unreachable, match=r"S3 server at .*set TRIPTYCH_CA_FILE to the file of its authority"
    ):
        store.ensure_bucket()


def test_a_certificate_for_another_name_is_refused(servers: Servers) -> None:
    url = SecretStr(servers.redis.redis_url.get_secret_value().replace("127.0.0.1", "127.0.0.2"))
    with pytest.raises(Unreachable, match="use a name that is in the certificate"):
        Client(servers.redis.model_copy(update={"redis_url": url}), servers.store)


def test_without_tls_nobody_gets_an_answer(servers: Servers) -> None:
    url = SecretStr(servers.redis.redis_url.get_secret_value().replace("rediss://", "redis://"))
    with pytest.raises(Unreachable):
        Client(servers.redis.model_copy(update={"redis_url": url}), servers.store)
