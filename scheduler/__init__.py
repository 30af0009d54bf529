"""How work is asked for and followed.

from jobs import TrainGan
from scheduler import Client

job = Client().submit(TrainGan(dataset="mnist-5k"))
job.watch()
"""

from scheduler.client import Client
from scheduler.errors import (
    JobFailed,
    NotConfigured,
    NotFinished,
    TriptychError,
    UnknownArtifact,
    UnknownDataSet,
    UnknownJob,
    Unreachable,
)
from scheduler.job import Job
from scheduler.records import JobRecord
from scheduler.states import FailureCause, JobState

__all__ = [
    "Client",
    "FailureCause",
    "Job",
    "JobFailed",
    "JobRecord",
    "JobState",
    "NotConfigured",
    "NotFinished",
    "TriptychError",
    "UnknownArtifact",
    "UnknownDataSet",
    "UnknownJob",
    "Unreachable",
]
