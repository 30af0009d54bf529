"""How much memory a process and all that descend from it hold, and how much a slot may hold."""

import math
import os
import resource
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock

import psutil
from pydantic import ByteSize

from scheduler.settings import WorkerSettings

#: Of a runner: bytes that its job may hold, which the setting of this name means to it, too.
SLOT_MEMORY = "TRIPTYCH_SLOT_MEMORY"

_PAGES = Path("/proc/self/statm")
_CGROUPS = Path("/sys/fs/cgroup")
#: Seconds for which a look at all processes will do.
_FRESH = 0.5
#: What the slots share of the machine's or container's memory. The rest is for the worker and the system.
_SHARE = 0.9


def resident(pid: int) -> int | None:
    """Bytes resident, of a process and its descendants; None if it has ended. Shared pages count for each."""
    family = _family(pid)
    return sum(member.rss for member in family) if family else None


def private(pid: int) -> int:
    """Bytes that would be free if a process and its descendants ended: 0 if it has ended.

    Files mapped into memory, such as TensorFlow's libraries, do not count where the system tells them apart.
    """
    # Linux's `shared` is of files and shared memory; macOS has no such figure.
    return sum(member.rss - getattr(member, "shared", 0) for member in _family(pid))


def own() -> int:
    """What `private` says of this process alone, many times faster."""
    try:
        _, resident_pages, shared_pages, *_ = map(int, _PAGES.read_text().split())
    except OSError:  # no Linux
        return private(os.getpid())
    return (resident_pages - shared_pages) * resource.getpagesize()


def budget(settings: WorkerSettings, slots: int) -> int:
    """Bytes that one job may hold: as set, or an equal share of what the machine or the container has."""
    return settings.slot_memory or int(_SHARE * usable_memory() / slots)


def usable_memory() -> int:
    """Bytes that this machine has, or that its container may use."""
    machine = int(psutil.virtual_memory().total)
    limit = _limit(_CGROUPS)
    return machine if limit is None else min(machine, limit)


def kills(cgroups: Path = _CGROUPS) -> int:
    """How often the system has ended a process of this container for want of memory; 0 if it does not say."""
    with suppress(OSError, ValueError):
        lines = (cgroups / "memory.events").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return 0


def size(count: int) -> str:
    """Bytes for people, such as 1.5GiB."""
    return ByteSize(count).human_readable()


def _limit(cgroups: Path) -> int | None:
    """The container's limit, in either version of control groups; None where there is none."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # no control groups here, or "max"
            return int((cgroups / name).read_text())
    return None


class _Families:
    """Which processes descend from which, by a look at all of them that many callers share.

    It takes several milliseconds, and a worker of many slots asks once a second for each.
    """

    def __init__(self) -> None:
        self._children: dict[int, list[int]] = {}
        self._seen = -math.inf
        self._lock = Lock()

    def below(self, pid: int) -> list[int]:
        """The descendants of a process, as they were at most `_FRESH` seconds ago."""
        with self._lock:
            if time.monotonic() - self._seen > _FRESH:
                self._look()
            found = list(self._children.get(pid, ()))
            for each in found:
                found += self._children.get(each, ())
        return found

    def _look(self) -> None:
        self._children = {}
        for process in psutil.process_iter(["ppid"]):
            self._children.setdefault(process.info["ppid"], []).append(process.pid)
        self._seen = time.monotonic()


_families = _Families()


def _family(pid: int) -> list[psutil._ntuples.pmem]:
    found = []
    for each in (pid, *_families.below(pid)):
        with suppress(psutil.Error):  # it has ended meanwhile
            found.append(psutil.Process(each).memory_info())
    return found
