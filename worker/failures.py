"""From an exception in a job to the cause of its failure."""

import errno

from jobs.datasets.readable import encodable
from jobs.errors import BadInput, Diverged, InvalidSpec
from scheduler.errors import Refused, UnknownArtifact, UnknownDataSet, Unreachable
from scheduler.states import FailureCause

_CAUSES: tuple[tuple[type[Exception], FailureCause], ...] = (
    (BadInput, FailureCause.BAD_INPUT),
    (InvalidSpec, FailureCause.BAD_INPUT),
    (UnknownDataSet, FailureCause.BAD_INPUT),
    (UnknownArtifact, FailureCause.BAD_INPUT),
    (Diverged, FailureCause.DIVERGED),
    (Unreachable, FailureCause.STORAGE),
    (Refused, FailureCause.STORAGE),
    (MemoryError, FailureCause.OUT_OF_MEMORY),
)


def classify(error: BaseException) -> tuple[FailureCause, str]:
    """The cause of a failure, and a sentence for a person."""
    for kind, cause in _CAUSES:
        if isinstance(error, kind):
            return cause, str(error) or kind.__name__
    # By name, since only the job itself may import TensorFlow.
    if type(error).__name__ == "ResourceExhaustedError":
        return FailureCause.OUT_OF_MEMORY, _first_line(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return FailureCause.STORAGE, "the worker's disk is full"
    return FailureCause.BUG, f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return encodable(lines[0][:500]) if lines else "no message"
