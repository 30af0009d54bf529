"""The Celery task of every kind of job: claim, supervise, say how it ended."""

import logging
import time
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.exceptions import Ignore
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from jobs import catalog
from scheduler.division import publish_parts, store_end, tell_failed
from scheduler.errors import JobFailed, UnknownJob
from scheduler.queue import publish, shown
from scheduler.record import JobRecord
from scheduler.recovery import tell_of_loss
from scheduler.report import store_report
from scheduler.states import JobState
from worker.runner_pool import RunnerPool
from worker.supervisor import Attempt, Ending, Machinery

logger = logging.getLogger(__name__)


def register(app: Celery, machinery: Machinery, worker: str) -> None:
    """Registers one task a kind, under the kind's name, so that Flower filters by it."""

    def run(task: Any) -> str:
        return run_job(app, machinery, worker, task)

    for kind in catalog.kinds():
        app.task(run, name=kind, bind=True, throws=(JobFailed,))


def take_back(app: Celery, machinery: Machinery, worker: str) -> None:
    """Gives back at once what this worker's former self held when it was killed.

    What cannot be done here is done by the scheduler when the leases run out.
    """
    if not machinery.seat:
        return
    try:
        for job_id in machinery.records.take_back(worker, machinery.seat):
            record = machinery.records.get(job_id)
            tell_of_loss(app, machinery.records, machinery.store, record)
            if record.state is JobState.QUEUED:
                publish(app, record)
                machinery.records.published(job_id)
    except (RedisError, OSError, OperationalError, UnknownJob) as error:
        logger.warning("worker %s: what its former self held waits for the scheduler: %s", worker, error)


def run_job(app: Celery, machinery: Machinery, worker: str, task: Any) -> str:
    """Handles one wake-up. Returns the text for Flower's result column.

    Raises:
        Ignore: there is nothing to do, or another attempt follows.
        JobFailed: the job failed, so Flower shows it as failed.
    """
    # The place before the job: one that has to wait for a graphics card is left to whoever has one. Its
    # message is spent then, which the scheduler notices.
    with machinery.places.place(machinery.draining.is_set) as runners:
        if runners is None:
            raise Ignore
        return _run_in_place(app, machinery, worker, task, runners)


def _run_in_place(app: Celery, machinery: Machinery, worker: str, task: Any, runners: RunnerPool) -> str:
    job_id = task.request.id
    asked = time.monotonic()
    try:
        job = machinery.records.claim(job_id, worker, machinery.lease.lease_seconds, machinery.seat)
    except (RedisError, OSError) as error:
        # The message is spent; the scheduler finds the job without one, and sends another.
        logger.warning("job %s could not be claimed: %s", job_id, error)
        raise Ignore from None
    if job is None:
        _correct_flower(machinery, task, job_id)
        raise Ignore
    logger.info("job %s (%s): attempt %d", job.id, job.kind, job.attempt)
    ending = Attempt(machinery, job, lambda line: _show(task, job, line)).run(runners, asked)
    logger.info("job %s: attempt %d ended: %s %s", job.id, job.attempt, ending.state, ending.message)
    try:
        return _conclude(app, machinery, task, job, ending)
    except (RedisError, OSError, OperationalError) as error:
        # What matters is in the record by now, and the scheduler publishes what is left to publish.
        logger.warning("job %s: its end is not shown: %s", job.id, error)
        raise Ignore from None


def _conclude(app: Celery, machinery: Machinery, task: Any, job: JobRecord, ending: Ending) -> str:
    if ending.state in (JobState.FAILED, JobState.CANCELLED):
        ended = machinery.records.get(job.id)
        if (whole := store_end(machinery.records, machinery.store, ended)) is not None:
            tell_failed(app, whole)
        if not job.whole:
            store_report(machinery.store, machinery.records, ended)
    if ending.state is JobState.SUCCEEDED:
        far = [ending.line] if ending.line else []
        return " · ".join(["done", *far, f"triptych report {job.whole or job.id}"])
    if ending.state is JobState.FAILED:
        raise JobFailed(f"{ending.cause}: {ending.message}")
    if ending.state is JobState.CANCELLED:
        task.send_event("task-revoked", terminated=True, signum=None, expired=False)
    else:
        task.send_event("task-retried", exception=ending.message, traceback="")
    if ending.state is JobState.QUEUED:
        publish(app, machinery.records.get(job.id))
        machinery.records.published(job.id)
    if ending.divided:
        publish_parts(app, machinery.records, job.id)
    raise Ignore


def _show(task: Any, job: JobRecord, line: str) -> None:
    # An event of Celery's own kind of "started", so that Flower keeps state, start time and revocation right.
    # A line that is lost while Redis is away is followed by another; it must not end the job.
    with suppress(RedisError, OSError, OperationalError):
        task.send_event("task-STARTED", name=job.kind, args="", kwargs=shown(job), result=line)


def _correct_flower(machinery: Machinery, task: Any, job_id: str) -> None:
    # The worker has announced a start that does not happen.
    with suppress(RedisError, OSError, OperationalError, UnknownJob):
        if machinery.records.get(job_id).state is JobState.CANCELLED:
            task.send_event("task-revoked", terminated=False, signum=None, expired=False)
