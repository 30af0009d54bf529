"""Rebuilding the records from the store, when Redis has lost them: `triptych recover`."""

import json
import logging
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from scheduler.artifacts import ArtifactStore, JobKeys
from scheduler.errors import UnknownArtifact
from scheduler.records import NewJob, Records
from scheduler.states import JobState

logger = logging.getLogger(__name__)

_ATTEMPT = re.compile(r"checkpoints/\d+-(\d+)\.safetensors$|logs/(\d+)\.log$|metrics/(\d+)\.jsonl$")


@dataclass(frozen=True)
class Found:
    """What the store knows of one job."""

    spec: dict[str, Any]
    state: JobState | None  #: its final state, or None if it is unfinished
    past: dict[str, str]


def rebuild(records: Records, store: ArtifactStore) -> Counter[JobState]:
    """Enters every job of the store that Redis does not know.

    Jobs with a result, or a note of how they ended, stay ended; all others are queued, and go on from their
    checkpoints. Running it twice, or while jobs run, changes nothing for those that Redis knows.

    Returns:
        How many jobs were entered, by state.
    """
    entered: Counter[JobState] = Counter()
    found = [look(store, folder.key.split("/")[1]) for folder in store.under("jobs/", recursive=False)]
    # Parents before children: whoever names a job was submitted after it.
    for job in sorted((job for job in found if job), key=lambda job: job.spec["submitted"]):
        job_id = job.spec["id"]
        if records.knows(job_id):
            continue
        _, state = records.create(_new_job(job), ended=job.state)
        entered[state] += 1
        logger.info("job %s: %s", job_id, state)
    return entered


def look(store: ArtifactStore, job_id: str) -> Found | None:
    """What the store knows of a job; None if it has no spec, so was never accepted."""
    keys = JobKeys(job_id)
    try:
        spec = store.get_json(keys.spec)
    except UnknownArtifact:
        return None
    names = [item.key for item in store.under(keys.folder)]
    attempts = [int(match[1] or match[2] or match[3]) for name in names if (match := _ATTEMPT.search(name))]
    # An attempt that has left no trace may still run somewhere, so its number must not come again.
    past = {"attempt": str(max(attempts) + 1 if attempts else 1), "created": f"{spec['submitted']:.6f}"}
    # The ending first: it is written once the record has ended, a result shortly before that, maybe too late.
    if keys.ending in names:
        ending = store.get_json(keys.ending)
        said = {name: str(ending[name]) for name in ("cause", "message", "attempt")}
        return Found(spec, JobState(ending["state"]), past | said | _finished(ending))
    if keys.result in names:
        result = store.get_json(keys.result)
        return Found(spec, JobState.SUCCEEDED, past | {"attempt": str(result["attempt"])} | _finished(result))
    return Found(spec, None, past)


def _new_job(job: Found) -> NewJob:
    spec = job.spec
    return NewJob(
        id=spec["id"],
        kind=spec["spec"]["kind"],
        pool=spec["pool"],
        priority=spec["priority"],
        spec=json.dumps(spec["spec"]),
        attempts=spec["spec"]["limits"]["attempts"],
        parents=spec["parents"],
        inputs=spec["inputs"],
        start_at=spec["start_at"],
        fingerprint=spec["fingerprint"],
        past=job.past,
    )


def _finished(data: dict[str, Any]) -> dict[str, str]:
    return {"finished": f"{data['finished']:.6f}"} if data.get("finished") else {}
