"""How work is asked for and followed.

from jobs import TrainGan
from scheduler import Client

job = Client().submit(TrainGan(dataset="mnist-5k"))
job.watch()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduler.client import Client
    from scheduler.errors import (
        AccessRefused,
        JobFailed,
        NotConfigured,
        NotFinished,
        NotInstalled,
        Refused,
        TimedOut,
        TriptychError,
        UnknownArtifact,
        UnknownDataSet,
        UnknownJob,
        UnknownModel,
        Unreachable,
    )
    from scheduler.job import Job
    from scheduler.record import JobRecord
    from scheduler.states import FailureCause, JobState

__all__ = [
    "AccessRefused",
    "Client",
    "FailureCause",
    "Job",
    "JobFailed",
    "JobRecord",
    "JobState",
    "NotConfigured",
    "NotFinished",
    "NotInstalled",
    "Refused",
    "TimedOut",
    "TriptychError",
    "UnknownArtifact",
    "UnknownDataSet",
    "UnknownJob",
    "UnknownModel",
    "Unreachable",
]

_MODULES = {
    "Client": "client",
    "FailureCause": "states",
    "Job": "job",
    "JobRecord": "record",
    "JobState": "states",
}


def __getattr__(name: str) -> Any:
    # Imported when first asked for: `triptych --help` and tab completion run through here as well, and
    # Celery, Redis and MinIO take a quarter of a second.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
