"""Every setting of Triptych, one class per server, each with its reason.

Read, in this order: the environment (`TRIPTYCH_*`), a file `.env` in the current folder, and what the
embedded stack wrote when it started (`stack.env` in `TRIPTYCH_HOME`). So a client finds the stack that
`triptych up` started by itself, and whoever names other servers gets those.
"""

import os
import socket
from functools import cached_property
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from scheduler.errors import NotConfigured
from scheduler.settings_checks import (
    AccessKey,
    Authority,
    Bucket,
    Folder,
    Host,
    Kept,
    RedisUrl,
    Region,
    S3Url,
    Seconds,
    Size,
    TouchedFile,
    WorkerName,
    home_folder,
    readable,
    redis_parts,
    s3_parts,
)

PREFIX = "TRIPTYCH_"


def home() -> Path:
    """The private folder of the embedded stack: data, logs and generated secrets."""
    variable = f"{PREFIX}HOME"
    chosen = os.environ.get(variable)
    try:
        if chosen:
            return home_folder(chosen)
        variable = "HOME"
        data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    except (ValueError, RuntimeError) as error:
        raise NotConfigured(f"{variable} is not valid: {_sentence(str(error))}") from None
    return Path(data) / "triptych"


def stack_file() -> Path:
    """Where the embedded stack says how to reach it: `TRIPTYCH_*` lines, mode 0600, there while it is up."""
    return home() / "stack.env"


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # it may be a password
    )

    @field_validator("*", mode="before")
    @classmethod
    def _readable(cls, value: object) -> object:
        return readable(value)


#: One for both servers.
_CA = "the authority (PEM) that vouches for the servers; by default those that the system trusts"


class RedisSettings(_Settings):
    """Redis: job records, the queue, events."""

    redis_url: RedisUrl = Field(description="redis://:password@host:port/0, or rediss:// for TLS")
    ca_file: Authority | None = Field(default=None, description=_CA)
    #: Longer than a busy server ever takes; shorter than a lease, so that a worker notices in time.
    redis_timeout: Seconds = Field(default=5.0, description="seconds to wait for an answer")
    #: Messages are acknowledged at once, so this only bounds the loss of one that a worker took and died
    #: with; a second copy is harmless, since only one claim succeeds.
    visibility_seconds: Seconds = Field(default=60.0, description="until a taken message comes back")

    @cached_property
    def address(self) -> str:
        """host:port, for people: never the password."""
        parts = redis_parts(self.redis_url.get_secret_value())
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{host}:{parts.port or 6379}"


class StoreSettings(_Settings):
    """The artifact store: MinIO, or any S3 server."""

    s3_url: S3Url = Field(description="http://host:9000, or https:// for TLS")
    s3_access_key: AccessKey
    s3_secret_key: SecretStr
    ca_file: Authority | None = Field(default=None, description=_CA)
    s3_bucket: Bucket = Field(default="triptych", description="made if it is missing")
    s3_region: Region = Field(
        default="us-east-1", description="named, so that the client need not ask the server"
    )

    @cached_property
    def endpoint(self) -> tuple[str, bool]:
        """(host:port, whether TLS), as the minio SDK wants it."""
        parts = s3_parts(self.s3_url)
        return parts.netloc, parts.scheme == "https"


class PulseSettings(_Settings):
    """How a container shows that what runs in it is alive."""

    pulse: TouchedFile | None = Field(
        default=None, description="a file that is touched every few seconds while Redis answers"
    )

    def beat(self) -> None:
        """Touches the file, if there is to be one."""
        if self.pulse is not None:
            self.pulse.touch()


class MetricsSettings(_Settings):
    """The scheduler's exporter for Prometheus; off unless it has a port."""

    metrics_port: int | None = Field(default=None, ge=1, le=65535, description="where `/metrics` is")
    metrics_address: Host = Field(default="127.0.0.1", description="the address that it listens on")
    metrics_password: SecretStr | None = Field(default=None, description="of the user triptych")


#: Share of the lease after which a worker that could not renew it ends its runner: before anyone else begins.
FENCE = 0.7


class LeaseSettings(_Settings):
    """How long the right to run a job lasts, and who notices when it ends."""

    #: A worker that is gone is noticed after this; a worker that cannot renew ends its runner before it.
    lease_seconds: Seconds = Field(default=15.0)
    #: Also how fast a cancel reaches a running job, and how fresh the line in Flower is.
    heartbeat_seconds: Seconds = Field(default=1.0)
    #: How often the scheduler looks for what is due.
    sweep_seconds: Seconds = Field(default=1.0)
    #: How long a publisher may take between the record and the message before the scheduler does it.
    outbox_seconds: Seconds = Field(default=5.0)
    #: How long a runner may take to reach its next step boundary once it is asked to stop.
    stop_seconds: Seconds = Field(default=10.0)

    @model_validator(mode="after")
    def _renewed_in_time(self) -> Self:
        # A worker ends its runner when this share of the lease has passed without a renewal.
        if self.heartbeat_seconds >= FENCE * self.lease_seconds:
            raise ValueError(
                f"{PREFIX}HEARTBEAT_SECONDS must be less than {FENCE} of {PREFIX}LEASE_SECONDS, else every "
                "job loses its lease"
            )
        return self


class RetentionSettings(_Settings):
    """What the scheduler deletes by itself, and how long after a job has ended: `7d`, `12h`, or `off`."""

    #: Its last state is of use to go on from it with more epochs; a week shows whether anybody wants to.
    keep_checkpoints: Kept = Field(default="7d", description="checkpoints of jobs that succeeded")
    #: Nobody but a person knows which pictures and models are still wanted.
    keep_artifacts: Kept = Field(default="off", description="artifacts of jobs that have ended")
    #: Redis has them in memory; after this they are in the store alone, where they take nothing but space.
    keep_records: Kept = Field(default="90d", description="records of jobs that have ended, in Redis")


def _host() -> str:
    return socket.gethostname().partition(".")[0] or "worker"


class WorkerSettings(_Settings):
    """One worker: where it runs jobs and how many at once."""

    worker_name: WorkerName = Field(
        default_factory=_host, description="must differ between workers; also Flower's name"
    )
    pool: Literal["cpu", "gpu"] = Field(default="cpu", description="the pool it serves")
    slots: int | None = Field(
        default=None, ge=1, le=1024, description="jobs at once; by default one per two cores"
    )
    threads: int | None = Field(
        default=None, ge=1, le=4096, description="threads a job; by default cores / slots"
    )
    gpu_slots: int = Field(default=1, ge=1, le=64, description="jobs at once on each card of the pool gpu")
    slot_memory: Size | None = Field(
        default=None,
        ge=1 << 20,
        le=1 << 50,
        description="bytes that a job may hold, such as 6GiB; by default a share of nine tenths of all",
    )
    #: A process with TensorFlow imported saves each job 5 to 10 s and costs about 370 MiB.
    warm_runners: int = Field(default=1, ge=0, le=1024)
    cache: Folder = Field(
        default_factory=lambda: Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "triptych",
        description="data sets, kept between jobs",
    )
    #: Large enough for what a team works with; what is removed is fetched again by the next job that asks.
    cache_size: Size | None = Field(
        default=None,
        ge=0,
        le=1 << 60,
        description="bytes that the cache may have; by default a quarter of the disk that it is on",
    )


class RunnerSettings(_Settings):
    """How long a process is used again, by kinds of jobs that only read, before it is ended."""

    #: So that what leaks a little in each job cannot add up. 1: every job has a process of its own.
    runner_jobs: int = Field(default=1000, ge=1, le=1_000_000_000, description="jobs that a runner may do")
    runner_seconds: float = Field(
        default=3600.0, ge=0.001, le=365 * 24 * 3600, description="age at which it takes no other job"
    )
    #: It holds TensorFlow and models, so that the next job is done at once; after this, nobody comes.
    runner_idle_seconds: float = Field(
        default=600.0, ge=0.001, le=365 * 24 * 3600, description="without a job, after which it is ended"
    )
    #: TensorFlow's own tables and arenas come to some 200 MiB in the first jobs, and stay so.
    runner_growth: Size = Field(
        default_factory=lambda: Size(512 << 20),
        ge=0,
        le=1 << 50,
        description="bytes by which it may have grown, models in memory aside",
    )
    #: A generator has 1 to 10 MB, an encoder for texts 90 to 440.
    model_memory: Size = Field(
        default_factory=lambda: Size(1 << 30),
        ge=0,
        le=1 << 50,
        description="bytes of models that it holds; 0: none",
    )


SettingsT = TypeVar("SettingsT", bound=_Settings)


def load(settings: type[SettingsT]) -> SettingsT:
    """Reads one class of settings from where settings come from.

    Raises:
        NotConfigured: one is missing or wrong; the text names the variable and what to do.
    """
    files = (stack_file(), Path(".env"))
    for file in files:
        _check_file(file)
    try:
        return settings(_env_file=files)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if not fault["loc"]:
            raise NotConfigured(_sentence(fault["msg"])) from None
        variable = f"{PREFIX}{'_'.join(str(part) for part in fault['loc'])}".upper()
        if fault["type"] == "missing":
            raise NotConfigured(
                f"no servers known: start them on this machine with `triptych up`, or set {variable}"
            ) from None
        # Never the value itself: it may be a secret.
        raise NotConfigured(f"{variable} is not valid: {_sentence(fault['msg'])}") from None


def _check_file(file: Path) -> None:
    try:
        if file.is_file():
            file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise NotConfigured(f"the settings in {file} cannot be read: the file is not UTF-8") from None
    except OSError as error:
        raise NotConfigured(f"the settings in {file} cannot be read: {error.strerror}") from None


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ").strip()
    return text[:1].lower() + text[1:] if not text.startswith(PREFIX) else text
