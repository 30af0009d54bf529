"""Rebuilding the records from the store, when Redis has lost them: `triptych recover`."""

import logging
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from scheduler.archive import Archive
from scheduler.artifacts import ArtifactStore
from scheduler.errors import DAMAGES, UnknownArtifact
from scheduler.keys import PAUSED_POOLS, JobKeys
from scheduler.record import NewJob
from scheduler.records import Records
from scheduler.schedules.schedules import rebuild_schedules
from scheduler.states import JobState
from scheduler.stored_spec import job_of
from scheduler.sweeps.stored import rebuild_sweeps
from scheduler.workers import Workers

logger = logging.getLogger(__name__)

#: Refuses a job whose fields are not of their types.
_AS_ENTERED = TypeAdapter(NewJob)
_ATTEMPT = re.compile(r"jobs/[^/]+/(?:checkpoints/\d+-(\d+)\.|logs/(\d+)\.log$|metrics/(\d+)[./])")


@dataclass(frozen=True)
class Found:
    """What the store knows of one job."""

    spec: dict[str, Any]
    state: JobState | None  #: its final state, or None if it is unfinished
    past: dict[str, str]


@dataclass(frozen=True)
class Rebuilt:
    """How many of each were entered."""

    jobs: Counter[JobState]  #: by state
    schedules: int
    sweeps: int


def rebuild(records: Records, store: ArtifactStore) -> Rebuilt:
    """Enters every schedule, sweep and job of the store that Redis does not know.

    Jobs with a result, or a note of how they ended, stay ended; all others are queued, and go on from their
    checkpoints. Running it twice, or while jobs run, changes nothing for those that Redis knows.
    """
    # Before the jobs, which tell them which ticks were taken.
    schedules = rebuild_schedules(records, store)
    sweeps = rebuild_sweeps(records, store)
    for item in store.under(PAUSED_POOLS):
        Workers(records.redis).pause(item.key.removeprefix(PAUSED_POOLS).removesuffix(".json"))
    entered: Counter[JobState] = Counter()
    archived = Archive(store).ids()  # which have ended, and stay where they are
    ids = [folder.key.split("/")[1] for folder in store.under("jobs/", recursive=False)]
    looked_at = (_looked(store, job_id, archived) for job_id in ids if job_id not in archived)
    found = [(job, new) for job, new in filter(None, looked_at) if not records.knows(new.id)]
    # Parents before children: whoever names a job was submitted after it.
    for job, new in sorted(found, key=lambda each: each[0].spec["submitted"]):
        _, state = records.create(new, ended=job.state)
        entered[state] += 1
        logger.info("job %s: %s", new.id, state)
    return Rebuilt(entered, schedules, sweeps)


def _looked(store: ArtifactStore, job_id: str, archived: Collection[str]) -> tuple[Found, NewJob] | None:
    """What the store knows of a job; None also if it is damaged, as all others are to come back."""
    try:
        found = look(store, job_id)
        if found is None:
            return None
        return found, _AS_ENTERED.validate_python(vars(job_of(found.spec, found.past, archived)))
    except UnknownArtifact:  # deleted since it was listed
        return None
    except DAMAGES as error:
        logger.warning(
            "job %s is left out, as what the store has of it cannot be read (%s: %s)",
            job_id,
            type(error).__name__,
            error,
        )
        return None


def look(store: ArtifactStore, job_id: str) -> Found | None:
    """What the store knows of a job; None if it has no spec, so was never accepted."""
    keys = JobKeys(job_id)
    try:
        spec = store.get_json(keys.spec)
    except UnknownArtifact:
        return None
    # Its parts are entered when an attempt finds that it is divided.
    names = [item.key for item in store.under(keys.folder) if not item.key.startswith(keys.parts)]
    attempts = [int(match[1] or match[2] or match[3]) for name in names if (match := _ATTEMPT.match(name))]
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
    return Found(spec, None, past | ({"pause": "1"} if keys.paused in names else {}))


def _finished(data: dict[str, Any]) -> dict[str, str]:
    return {"finished": f"{data['finished']:.6f}"} if data.get("finished") else {}
