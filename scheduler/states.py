"""The states of a job, the causes of failure, and which state may follow which."""

from collections.abc import Mapping
from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "WAITING"  #: for a parent to succeed, for a time, or for its parts
    QUEUED = "QUEUED"  #: any worker of its pool may claim it
    PAUSED = "PAUSED"  #: a person holds it back until it is resumed
    RUNNING = "RUNNING"  #: a worker holds the lease
    SUCCEEDED = "SUCCEEDED"  #: its result.json is in the store
    FAILED = "FAILED"  #: it ended without a result; cause and message say why
    CANCELLED = "CANCELLED"  #: a person ended it

    @property
    def final(self) -> bool:
        """Whether nothing can follow."""
        return not TRANSITIONS[self]


#: The one table. `records` applies it inside Redis, so that the check and the write are one step.
TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.WAITING: frozenset({JobState.QUEUED, JobState.PAUSED, JobState.FAILED, JobState.CANCELLED}),
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.PAUSED, JobState.FAILED, JobState.CANCELLED}),
    JobState.PAUSED: frozenset({JobState.QUEUED, JobState.WAITING, JobState.FAILED, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        # Back to QUEUED when its worker is gone or drains, to WAITING when a retry has to wait.
        {
            JobState.QUEUED,
            JobState.WAITING,
            JobState.PAUSED,
            JobState.SUCCEEDED,
            JobState.FAILED,
            JobState.CANCELLED,
        }
    ),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


class FailureCause(StrEnum):
    """Why an attempt or a job failed."""

    BAD_INPUT = "BAD_INPUT"  #: what it was given cannot be worked with
    DIVERGED = "DIVERGED"  #: training left the finite numbers
    OUT_OF_MEMORY = "OUT_OF_MEMORY"  #: the system, or the job's memory budget, ended it
    WORKER_LOST = "WORKER_LOST"  #: its worker or its runner died
    TIME_LIMIT = "TIME_LIMIT"  #: it ran longer than `limits.wall_seconds`
    STALLED = "STALLED"  #: no progress for `limits.stall_seconds`
    STORAGE = "STORAGE"  #: the artifact store could not be written or read
    PARENT = "PARENT"  #: a job that it needs did not succeed
    BUG = "BUG"  #: an unexpected exception in the job's code

    @property
    def can_pass(self) -> bool:
        """Whether another attempt may end differently."""
        return self in _CAN_PASS


_CAN_PASS = frozenset({FailureCause.OUT_OF_MEMORY, FailureCause.WORKER_LOST, FailureCause.STORAGE})


class What(StrEnum):
    """What of a job is deleted."""

    CHECKPOINTS = "checkpoints"  #: with the pieces of results that are not whole
    ARTIFACTS = "artifacts"  #: those as well, and pictures; record, result, metrics and logs stay
    ALL = "all"  #: everything, the record included
