"""A history of jobs that have ended, written at once: records and objects as workers leave them."""

import json
from collections.abc import Mapping, Sequence

from triptych_trial.spec import Echo

from scheduler import Client, JobState, pruning, removal
from scheduler.artifacts import ArtifactStore
from scheduler.keys import JobKeys
from scheduler.record import NewJob
from scheduler.removal import STEP
from scheduler.settings import RedisSettings, StoreSettings
from scheduler.stored_spec import stored_spec

#: What a job leaves besides its spec and its result, and how many bytes of each.
LEFT = {"checkpoints/000000000009-0001.safetensors": 30, "artifacts/echo.txt": 20, "logs/1.log": 10}


def clock(client: Client) -> float:
    seconds, microseconds = client.records.redis.time()
    return float(seconds) + float(microseconds) / 1e6


def enter(
    client: Client,
    job_id: str,
    *,
    days: float = 0.0,
    state: JobState = JobState.SUCCEEDED,
    parents: Sequence[str] = (),
    inputs: Mapping[str, str] | None = None,
    kind: str = Echo.kind,
    left: Mapping[str, int] = LEFT,
) -> str:
    """Enters a job that ended so many days ago; returns its id."""
    ended = clock(client) - days * 86400
    spec = json.dumps({**Echo(text=job_id).to_wire(), "kind": kind})
    refers = [*(f"job/{parent}" for parent in parents), *(f"dataset/{name}" for name in inputs or {})]
    job = NewJob(
        job_id,
        kind,
        "cpu",
        5,
        spec,
        attempts=5,
        parents=parents,
        inputs=dict(inputs or {}),
        fingerprint=f"like-{job_id}",
        refers=refers,
        past={"created": f"{ended - 60:.6f}", "finished": f"{ended:.6f}", "attempt": "1"},
    )
    write(client.store, job, ended, state, left)
    client.records.create(job, ended=state)
    return job_id


def write(
    store: ArtifactStore, job: NewJob, ended: float, state: JobState, left: Mapping[str, int] = LEFT
) -> None:
    keys = JobKeys(job.id)
    store.put_json(keys.spec, stored_spec(job, ended - 60))
    for name, size in left.items():
        store.put(f"{keys.folder}{name}", bytes(size))
    if state is JobState.SUCCEEDED:
        result = {"attempt": 1, "finished": ended, "result": {"text": job.id, "resumed_from": 0}}
        store.put_json(keys.result, result)
    else:
        said = {"state": state, "cause": "BUG", "message": "a fault", "attempt": 1, "finished": ended}
        store.put_json(keys.ending, said)


def prune(
    redis: RedisSettings, store: StoreSettings, older_than: float, kind: str, at_once: int = STEP
) -> None:
    """As a process of its own, which can be killed."""
    removal.STEP = pruning.STEP = at_once
    Client(redis, store).prune(older_than, kind=kind)
