"""How jobs ended that left no result, kept in the store beside those that did."""

import logging
from typing import Any

from jobs.errors import TriptychError
from scheduler.artifacts import ArtifactStore, JobKeys
from scheduler.records import JobRecord
from scheduler.states import JobState

logger = logging.getLogger(__name__)


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
