"""The connections of a runner, which outlive a job."""

import socket
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from scheduler.artifacts import ArtifactStore
from scheduler.connection import connect
from scheduler.records import Records
from scheduler.settings import RedisSettings, StoreSettings, WorkerSettings, load
from worker.places import memory_of_the_job
from worker.surroundings import surroundings

#: The store imports it with its first request. Here, so that the template has it and no job waits for it.
import_module("minio")


class Servers:
    """Store and records, as the settings name them.

    Attributes:
        cache: the folder for data sets.
        memory: bytes that a job may hold.
        place: the worker and the threads that a job has, for the first line of its log.
        where: what is known of the place in which this process runs.
        addresses: host and port of both servers, as sockets show them.

    Raises:
        NotConfigured: a setting is missing or wrong.
    """

    def __init__(self) -> None:
        settings, store, redis = load(WorkerSettings), load(StoreSettings), load(RedisSettings)
        self.cache: Path = settings.cache
        self.memory = memory_of_the_job()
        self.where = surroundings(settings)
        self.place = f"on worker {self.where['worker']}, {self.where.get('threads of the job', '?')} threads"
        self.store = ArtifactStore(store)
        self.records = Records(connect(redis))
        kept = self.records.redis.connection_pool.connection_kwargs
        host, secure = store.endpoint
        name, _, port = host.rpartition(":") if ":" in host else (host, "", "443" if secure else "80")
        self.addresses = {*_addresses(name, int(port)), *_addresses(kept["host"], int(kept["port"]))}


def _addresses(host: str, port: int) -> Iterator[tuple[str, int]]:
    try:
        for *_, address in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM):
            yield str(address[0]), int(address[1])
    except OSError:
        return  # it will be told when it is spoken to
