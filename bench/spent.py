"""Processor time of every process of a measurement, by what it is."""

from contextlib import suppress

import psutil

from tests.cluster import Cluster


def spent(built: Cluster) -> dict[str, float]:
    """Seconds of processor time so far: of Redis, the store, schedulers, workers and their runners."""
    ours = {process.pid: str(process.args[-1]) for process in built.processes if process.poll() is None}
    found = {"redis": 0.0, "store": 0.0, "scheduler": 0.0, "worker": 0.0, "runners": 0.0}
    for process in psutil.Process().children():
        name = ours.get(process.pid, _server(process))
        if name == "worker":
            found["runners"] += _below(process)
        if name in found:
            found[name] += sum(process.cpu_times()[:2])
    return found


def _server(process: psutil.Process) -> str:
    """Of Redis there are two programs of different names, and of the store as well."""
    with suppress(psutil.NoSuchProcess):
        if any(name in process.name() for name in ("redis", "valkey")):
            return "redis"
        if any(name in process.name() for name in ("weed", "minio", "silo")):
            return "store"
    return ""


def _below(process: psutil.Process) -> float:
    """Of all that it has started; of those that have ended, as whoever has waited for them knows."""
    total = sum(process.cpu_times()[2:4])
    for each in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += sum(each.cpu_times()[:4])
    return total
