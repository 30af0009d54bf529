"""What two jobs or more have in common, and where they differ: spec, data, result, where they ran."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.errors import InvalidSpec
from scheduler.artifacts import ArtifactStore
from scheduler.job import Job
from scheduler.keys import JobKeys
from scheduler.results import Told

#: Jobs that a comparison takes: as many curves as can be told apart.
MOST_JOBS = 8


@dataclass(frozen=True)
class Difference:
    """Something that is not the same in all the jobs.

    Attributes:
        of: `job`, `spec`, `data`, `result` or `environment`.
        name: of the field.
        values: of each job, in their order; None where it has no such field.
    """

    of: str
    name: str
    values: Sequence[Any]


def differences(jobs: Sequence[Job[Any]], store: ArtifactStore) -> list[Difference]:
    """Everything that differs between jobs; nested fields by their paths, such as `test.accuracy`.

    Raises:
        InvalidSpec: fewer than two jobs, or too many.
    """
    if not 2 <= len({job.id for job in jobs}) == len(jobs) <= MOST_JOBS:
        raise InvalidSpec(f"compare takes 2 to {MOST_JOBS} different jobs, received {len(jobs)}")
    records = [job.record for job in jobs]
    told = [Told.read(store, JobKeys(record.id)) for record in records]
    about: dict[str, Sequence[Mapping[str, Any]]] = {
        "job": [
            {"kind": record.kind, "state": str(record.state), "priority": record.priority}
            for record in records
        ],
        "spec": [
            {name: value for name, value in record.spec.items() if name != "kind"} for record in records
        ],
        "data": [record.inputs for record in records],
        "result": [each.result for each in told],
        "environment": [each.environment or {} for each in told],
    }
    return [difference for of, fields in about.items() for difference in _differing(of, fields)]


def metrics_table(jobs: Sequence[Job[Any]]) -> dict[str, list[Any]]:
    """All reports of jobs as plain columns of equal length: `job`, `step`, `time`, `stage`, then each metric.

    A value is None where a report has no such metric. `pandas.DataFrame(metrics_table(jobs))` takes it.
    """
    rows = [{"job": job.id, **line} for job in jobs for line in job.metrics()]
    names = dict.fromkeys(("job", "step", "time", "stage"))
    names |= dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _differing(of: str, fields: Sequence[Mapping[str, Any]]) -> list[Difference]:
    paths = [flat(each) for each in fields]
    names = dict.fromkeys(name for each in paths for name in each)
    found = [Difference(of, name, [each.get(name) for each in paths]) for name in names]
    return [each for each in found if any(value != each.values[0] for value in each.values[1:])]


def flat(fields: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Fields and those within them, by their paths with dots; an empty mapping is a value."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found
