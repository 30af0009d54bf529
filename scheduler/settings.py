"""Every setting of Triptych, one class per server, each with its reason.

Read, in this order: the environment (`TRIPTYCH_*`), a file `.env` in the current folder, and what the
embedded stack wrote when it started (`stack.env` in `TRIPTYCH_HOME`). So a client finds the stack that
`triptych up` started by itself, and whoever names other servers gets those.
"""

import os
import socket
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import ByteSize, Field, FilePath, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from scheduler.errors import NotConfigured

PREFIX = "TRIPTYCH_"


def home() -> Path:
    """The private folder of the embedded stack: data, logs and generated secrets."""
    if chosen := os.environ.get(f"{PREFIX}HOME"):
        return Path(chosen).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "triptych"


def stack_file() -> Path:
    """Where the embedded stack says how to reach it: `TRIPTYCH_*` lines, mode 0600, there while it is up."""
    return home() / "stack.env"


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True)


#: One for both servers.
_CA = "the authority (PEM) that vouches for the servers; by default those that the system trusts"


class RedisSettings(_Settings):
    """Redis: job records, the queue, events."""

    redis_url: SecretStr = Field(description="redis://:password@host:port/0, or rediss:// for TLS")
    ca_file: FilePath | None = Field(default=None, description=_CA)
    #: Longer than a busy server ever takes; shorter than a lease, so that a worker notices in time.
    redis_timeout: float = Field(default=5.0, gt=0, description="seconds to wait for an answer")
    #: Messages are acknowledged at once, so this only bounds the loss of one that a worker took and died
    #: with; a second copy is harmless, since only one claim succeeds.
    visibility_seconds: float = Field(default=60.0, gt=0, description="until a taken message comes back")


class StoreSettings(_Settings):
    """The artifact store: MinIO, or any S3 server."""

    s3_url: str = Field(description="http://host:9000, or https:// for TLS")
    s3_access_key: SecretStr
    s3_secret_key: SecretStr
    ca_file: FilePath | None = Field(default=None, description=_CA)
    s3_bucket: str = Field(default="triptych", description="made if it is missing")
    s3_region: str = Field(
        default="us-east-1", description="named, so that the client need not ask the server"
    )

    @cached_property
    def endpoint(self) -> tuple[str, bool]:
        """(host:port, whether TLS), as the minio SDK wants it."""
        parts = urlsplit(self.s3_url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
            raise NotConfigured(f"{PREFIX}S3_URL is {self.s3_url!r}; it must look like http://host:9000")
        return parts.netloc, parts.scheme == "https"


class PulseSettings(_Settings):
    """How a container shows that what runs in it is alive."""

    pulse: Path | None = Field(
        default=None, description="a file that is touched every few seconds while Redis answers"
    )

    def beat(self) -> None:
        """Touches the file, if there is to be one."""
        if self.pulse is not None:
            self.pulse.touch()


class MetricsSettings(_Settings):
    """The scheduler's exporter for Prometheus; off unless it has a port."""

    metrics_port: int | None = Field(default=None, ge=1, le=65535, description="where `/metrics` is")
    metrics_address: str = Field(default="127.0.0.1", description="the address that it listens on")
    metrics_password: SecretStr | None = Field(default=None, description="of the user triptych")


class LeaseSettings(_Settings):
    """How long the right to run a job lasts, and who notices when it ends."""

    #: A worker that is gone is noticed after this; a worker that cannot renew ends its runner before it.
    lease_seconds: float = Field(default=15.0, gt=0)
    #: Also how fast a cancel reaches a running job, and how fresh the line in Flower is.
    heartbeat_seconds: float = Field(default=1.0, gt=0)
    #: How often the scheduler looks for what is due.
    sweep_seconds: float = Field(default=1.0, gt=0)
    #: How long a publisher may take between the record and the message before the scheduler does it.
    outbox_seconds: float = Field(default=5.0, gt=0)
    #: How long a runner may take to reach its next step boundary once it is asked to stop.
    stop_seconds: float = Field(default=10.0, gt=0)


def _host() -> str:
    return socket.gethostname().partition(".")[0] or "worker"


class WorkerSettings(_Settings):
    """One worker: where it runs jobs and how many at once."""

    worker_name: str = Field(
        default_factory=_host, description="must differ between workers; also Flower's name"
    )
    pool: Literal["cpu", "gpu"] = Field(default="cpu", description="the pool it serves")
    slots: int | None = Field(default=None, ge=1, description="jobs at once; by default one per two cores")
    threads: int | None = Field(default=None, ge=1, description="threads a job; by default cores / slots")
    gpu_slots: int = Field(default=1, ge=1, le=64, description="jobs at once on each card of the pool gpu")
    slot_memory: ByteSize | None = Field(
        default=None,
        ge=1 << 20,
        description="bytes that a job may hold, such as 6GiB; by default a share of nine tenths of all",
    )
    #: A spare runner with TensorFlow imported saves each job 2 to 3 s and costs about 600 MiB.
    warm_runners: int = Field(default=1, ge=0)
    cache: Path = Field(
        default_factory=lambda: Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "triptych",
        description="data sets, kept between jobs",
    )


SettingsT = TypeVar("SettingsT", bound=_Settings)


def load(settings: type[SettingsT]) -> SettingsT:
    """Reads one class of settings from where settings come from.

    Raises:
        NotConfigured: one is missing or wrong; the text names the variable and what to do.
    """
    try:
        return settings(_env_file=(stack_file(), ".env"))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        variable = f"{PREFIX}{'_'.join(str(part) for part in fault['loc'])}".upper()
        if fault["type"] == "missing":
            raise NotConfigured(
                f"no servers known: start them on this machine with `triptych up`, or set {variable}"
            ) from None
        # Never the value itself: it may be a secret.
        raise NotConfigured(f"{variable} is not valid: {fault['msg']}") from None
