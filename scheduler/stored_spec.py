"""What the store keeps of a job as it was asked for, from which its record can be made again."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from scheduler.record import NewJob
from scheduler.references import job_target, set_target


def stored_spec(job: NewJob, submitted: float) -> dict[str, Any]:
    """What the store keeps of a job as it was asked for."""
    return {
        "id": job.id,
        "spec": json.loads(job.spec),
        "pool": job.pool,
        "priority": job.priority,
        "parents": list(job.parents),
        "inputs": job.inputs,
        "start_at": job.start_at,
        "fingerprint": job.fingerprint,
        "refers": list(job.refers),
        "submitted": submitted,
        **({"division": json.loads(job.division)} if job.division else {}),
        **({"names": job.names} if job.names else {}),
        **({"schedule": json.loads(job.schedule)} if job.schedule else {}),
    }


def job_of(spec: dict[str, Any], past: Mapping[str, str], archived: Collection[str] = ()) -> NewJob:
    """The job in what the store keeps of it, what is known of its past, and which jobs are in the archive."""
    return NewJob(
        id=spec["id"],
        kind=spec["spec"]["kind"],
        pool=spec["pool"],
        priority=spec["priority"],
        spec=json.dumps(spec["spec"]),
        attempts=spec["spec"]["limits"]["attempts"],
        parents=spec["parents"],
        inputs=spec["inputs"],
        names=spec.get("names", {}),
        start_at=spec["start_at"],
        fingerprint=spec["fingerprint"],
        division=json.dumps(spec["division"]) if spec.get("division") else "",
        refers=spec.get("refers")
        or [
            *map(set_target, spec["inputs"]),
            *map(job_target, spec["parents"]),
        ],
        archived=[parent for parent in spec["parents"] if parent in archived],
        schedule=json.dumps(spec["schedule"]) if spec.get("schedule") else "",
        past=past,
    )
