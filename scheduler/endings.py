"""How jobs ended: in a sentence, and in the store beside those that left a result."""

import logging
from typing import Any

from jobs.errors import TriptychError
from scheduler.artifacts import ArtifactStore
from scheduler.keys import JobKeys
from scheduler.record import JobRecord
from scheduler.states import JobState

logger = logging.getLogger(__name__)


def ending(job: JobRecord) -> str:
    """One sentence on how a job ended: id, cause, message, key of the log."""
    text = f"job {job.id} ({job.kind}) {job.state}"
    if job.cause:
        text += f", {job.cause}: {job.message}"
    if job.state is JobState.FAILED and job.attempt:
        text += f" [log: {log_key(job)}]"
    return text


def log_key(job: JobRecord) -> str:
    """The key of the newest attempt's log in the store."""
    return JobKeys(job.id).log(max(job.attempt, 1))


def store_ending(store: ArtifactStore, job: JobRecord) -> None:
    """Notes that a job failed or was cancelled, so that `triptych recover` does not run it again.

    Whether this succeeds changes nothing for the job, which has ended: a store that is away is only logged.
    """
    if job.state not in (JobState.FAILED, JobState.CANCELLED):
        return
    data: dict[str, Any] = {
        "job": job.id,
        "state": job.state,
        "cause": job.cause or "",
        "message": job.message,
        "attempt": job.attempt,
        "finished": job.finished,
    }
    try:
        store.put_json(JobKeys(job.id).ending, data)
    except TriptychError as error:
        logger.warning("the end of job %s is not in the store: %s", job.id, error)
