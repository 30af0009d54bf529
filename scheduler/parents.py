"""The jobs that a spec names, checked when it is submitted."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jobs.errors import InvalidSpec
from jobs.spec import JobSpec
from scheduler.errors import UnknownJob
from scheduler.models import ModelVersion
from scheduler.record import JobRecord
from scheduler.references import targets
from scheduler.states import JobState, What

if TYPE_CHECKING:
    from scheduler.datasets import DataSets

#: A job by id or name, and the version that it was found by.
Find = Callable[[str], tuple[JobRecord, ModelVersion | None]]


def checked_parents(spec: JobSpec[Any], find: Find) -> tuple[dict[str, JobRecord], dict[str, str]]:
    """The jobs that a spec names, and the names of those named by one, by field.

    Args:
        spec: of the job that is submitted.
        find: a job by id or name, and the version that it was found by.

    Raises:
        InvalidSpec: one does not exist, is of the wrong kind, or has left nothing that could be used.
    """
    parents, names = {}, {}
    for field, job_id, kinds in spec.parents():
        try:
            record, version = find(job_id)
        except UnknownJob as error:
            raise InvalidSpec(f"{spec.kind}: field {field!r}: {error}") from None
        if version is not None:
            names[field] = job_id if job_id == str(version) else f"{job_id}, {version} then"
        if kinds and record.kind not in kinds:
            raise InvalidSpec(
                f"{spec.kind}: field {field!r} takes a job of kind {' or '.join(kinds)}; job "
                f"{record.id} is a {record.kind}"
            )
        if record.state.final and record.state is not JobState.SUCCEEDED:
            raise InvalidSpec(
                f"{spec.kind}: field {field!r}: job {record.id} ended as {record.state} and left no model"
            )
        needed = What.CHECKPOINTS if field == "extends" else What.ARTIFACTS
        if needed in record.removed:
            raise InvalidSpec(f"{spec.kind}: field {field!r}: the {needed} of job {record.id} were deleted")
        parents[field] = record
    return parents, names


def repeatable(sets: "DataSets", find: Find, spec: JobSpec[Any]) -> tuple[JobSpec[Any], list[str]]:
    """A spec that may be submitted again and again, and what it refers to (`references.py`).

    Folders are uploaded and ids of jobs given in full; names of data sets and models stay names.

    Raises:
        InvalidSpec: it would be refused.
        UnknownDataSet: it names a data set that does not exist.
    """
    from scheduler.inputs import pinned  # brings NumPy, which finding jobs does not need

    spec, inputs = pinned(spec, sets)
    named, names = checked_parents(spec, find)
    jobs = {field: record for field, record in named.items() if field not in names}
    spec = spec.model_copy(update={field: record.id for field, record in jobs.items()})
    return spec, targets(inputs, jobs.values())
