"""Trainings that continue others: what is checked when one is submitted."""

from collections.abc import Mapping
from typing import Any

from jobs.errors import InvalidSpec
from jobs.extending.specs import TrainingSpec
from jobs.spec import JobResult, JobSpec
from scheduler.job import Job
from scheduler.states import JobState


def spec_to_extend(job: Job[Any], epochs: int) -> TrainingSpec[Any]:
    """The spec of a training that continues a job up to so many epochs.

    Raises:
        InvalidSpec: the job is no training, has as many epochs, or depends on their number.
    """
    spec = job.spec
    if not isinstance(spec, TrainingSpec):
        raise InvalidSpec(
            f"job {job.id} is a {job.kind}, and only trainings can be extended; their kinds have a field "
            "'extends' (`triptych kinds KIND`)"
        )
    return spec.extended(job.id, epochs, result_of(job))


def check_extension(spec: JobSpec[Any], inputs: Mapping[str, str], earlier: Job[Any]) -> None:
    """Checks a spec that extends a job, and that its data are the same.

    Raises:
        InvalidSpec: they are not, or the job cannot be continued like this.
    """
    assert isinstance(spec, TrainingSpec)  # noqa: S101 - others have no such field
    spec.check_extends(earlier.spec, result_of(earlier))
    had = earlier.record.inputs
    if changed := sorted(name for name in inputs if inputs[name] != had.get(name)):
        raise InvalidSpec(
            f"{spec.kind}: the data set {changed[0]!r} has changed since job {earlier.id}, which 'extends' "
            f"names: `triptych extend {earlier.id} --epochs {getattr(spec, 'epochs', 'N')}` goes on with the "
            "data of that job"
        )


def result_of(job: Job[Any]) -> JobResult | None:
    """The result of a job, if it has one."""
    result: JobResult | None = job.result() if job.state is JobState.SUCCEEDED else None
    return result
