"""Which processor a runner uses, with how many threads."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from scheduler.settings import WorkerSettings

_CGROUPS = Path("/sys/fs/cgroup")
_CPUS = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Slots:
    """How a worker shares its cores between the jobs that it runs at once."""

    count: int
    threads: int  #: of each job


def usable_cores() -> int:
    """Cores that this process may really use: by its affinity and its container's quota."""
    linux = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if linux else os.cpu_count() or 1
    quota = _quota(_CGROUPS)
    return cores if quota is None else max(1, min(cores, int(quota)))


def processor() -> str:
    """The processor's name, as its maker has it where the system tells."""
    try:
        lines = _CPUS.read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _quota(cgroups: Path) -> float | None:
    """The processors that a container may use at once, or None where there is no such limit."""
    try:
        if (newer := cgroups / "cpu.max").exists():
            quota, period = newer.read_text().split()
        else:  # version 1, as engines before Docker 20.10 and some hosts still have it
            quota, period = (
                (cgroups / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
            )
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):  # no control groups here, or "max"
        return None


def share(settings: WorkerSettings, cores: int, cards: int = 0) -> Slots:
    """One slot for two cores unless told otherwise: small models gain little from more threads.

    Where there are cards, as many slots as these have.
    """
    on_cards = cards * settings.gpu_slots
    count = min(settings.slots or on_cards, on_cards) or settings.slots or max(1, cores // 2)
    return Slots(count, settings.threads or max(1, cores // count))


def environment(settings: WorkerSettings, slots: Slots) -> dict[str, str]:
    """What a runner must find in its environment before it imports TensorFlow."""
    return {
        "KERAS_BACKEND": "tensorflow",
        "MPLBACKEND": "Agg",  # no display on a worker
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1"),  # warnings and errors
        # TensorFlow starts as many threads as the host has cores; slots would fight for them.
        "TF_NUM_INTRAOP_THREADS": str(slots.threads),
        "TF_NUM_INTEROP_THREADS": "1" if slots.threads == 1 else "2",
        "OMP_NUM_THREADS": str(slots.threads),
        "RAYON_NUM_THREADS": str(slots.threads),  # of tokenizers
        **({"CUDA_VISIBLE_DEVICES": "-1"} if settings.pool == "cpu" else {}),
    }
