"""Where an attempt runs, for people who ask later why it was slow, or came out otherwise."""

import os
import platform
import socket
from importlib.metadata import PackageNotFoundError, version

from scheduler.settings import WorkerSettings
from worker.devices import processor, usable_cores

#: What a job's numbers and speed depend on.
_PACKAGES = ("triptych", "tensorflow", "keras", "keras-hub", "numpy")


def surroundings(settings: WorkerSettings) -> dict[str, str]:
    """Names and versions; never a variable of the environment as it is, which may hold a password."""
    about = {
        "worker": f"{settings.pool}@{settings.worker_name}",
        "host": socket.gethostname(),
        "processor": processor(),
        "cores": str(usable_cores()),
        "threads of the job": os.environ.get("TF_NUM_INTRAOP_THREADS", ""),
        "graphics card": os.environ.get("CUDA_VISIBLE_DEVICES", "") if settings.pool == "gpu" else "",
        "system": platform.platform(),
        "python": platform.python_version(),
    }
    for package in _PACKAGES:
        try:
            about[package] = version(package)
        except PackageNotFoundError:
            continue
    return {name: value for name, value in about.items() if value}
