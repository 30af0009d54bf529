"""A divided job: which parts it has, by the store and by the records."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from celery import Celery

from jobs import catalog
from jobs.dividing.parts import Part
from jobs.spec import JobSpec
from scheduler.artifacts import ArtifactStore
from scheduler.endings import store_ending
from scheduler.keys import JobKeys, part_id
from scheduler.messages import withdraw
from scheduler.parts import Parts
from scheduler.queue import publish
from scheduler.record import JobRecord, NewPart
from scheduler.records import Records
from scheduler.report import store_report
from scheduler.states import JobState

_ATTEMPT = re.compile(
    r"parts/(\d+)/(?:checkpoints/\d+-(\d+)\.safetensors|logs/(\d+)\.log|environment/(\d+)\.json)$"
)
#: Messages between two looks at which parts are still to be published.
_AT_ONCE = 50
#: Fields of a spec that change nothing of what the rows come to.
_NOT_OF_ROWS = ("limits", "pool")


@dataclass(frozen=True)
class PartName:
    """A part in the list that the store keeps: its id, and what is computed there."""

    id: str
    part: Part
    fingerprint: str


def fingerprint(spec: JobSpec[Any], inputs: Mapping[str, str], part: Part) -> str:
    """Equal for equivalent parts: rows, spec, code, and data by content."""
    wire = {name: value for name, value in spec.to_wire().items() if name not in _NOT_OF_ROWS}
    same = [wire, catalog.code_digest(spec.kind), dict(inputs), part.first, part.end, dict(part.choices)]
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()


def write(store: ArtifactStore, job_id: str, parts: Sequence[PartName]) -> None:
    """Says which parts a job is divided into. The first to say so is right."""
    store.put_new_json(JobKeys(job_id).division, [asdict(part) for part in parts])


def read(store: ArtifactStore, job_id: str) -> list[PartName]:
    """Which parts a job is divided into.

    Raises:
        UnknownArtifact: it is not divided yet.
    """
    return [
        PartName(item["id"], Part(**item["part"]), item["fingerprint"])
        for item in store.get_json(JobKeys(job_id).division)
    ]


def divide(records: Records, store: ArtifactStore, job: JobRecord) -> bool:
    """Enters the parts that the store names, and lets the job wait for them.

    What the store has of them already is taken over: after Redis has lost its data it is all that is known.

    Returns:
        Whether the attempt still had the job.
    """
    names = read(store, job.id)
    complete: set[int] = set()
    attempts: dict[int, int] = defaultdict(int)
    for item in store.under(JobKeys(job.id).parts):
        if match := _ATTEMPT.search(item.key):
            number = int(match[1])
            attempts[number] = max(attempts[number], int(match[2] or match[3] or match[4]))
        elif item.key.endswith("/result.json"):
            complete.add(int(item.key.split("/")[-2]))
    parts = []
    for name in names:
        number = name.part.number
        done = number in complete or name.id != part_id(job.id, number)
        # An attempt that has left no trace may still run somewhere, so its number must not come again. The
        # first attempt at the whole has begun none.
        past = attempts[number] + (1 if job.attempt > 1 else 0)
        parts.append(NewPart(name.id, name.part, name.fingerprint, done, past))
    return Parts(records).enter(job.id, job.attempt, parts)


def publish_parts(app: Celery, records: Records, job_id: str) -> None:
    """Sends the messages of the parts of a job that are queued, over one connection."""
    parts = Parts(records)
    waiting = [part for part in parts.of(job_id) if part.state is JobState.QUEUED]
    with app.producer_pool.acquire(block=True) as producer:
        for first in range(0, len(waiting), _AT_ONCE):
            some = waiting[first : first + _AT_ONCE]
            # Looked at again: somebody may have cancelled the job since.
            still = parts.queued([part.id for part in some])
            for part in some:
                if part.id in still:
                    publish(app, part, producer)
            records.published(*(part.id for part in some))


def store_end(records: Records, store: ArtifactStore, job: JobRecord) -> JobRecord | None:
    """Notes in the store how a job ended, if without a result; and a whole that ended with its part.

    Returns:
        That whole.
    """
    store_ending(store, job)
    if not job.whole or job.state is not JobState.FAILED:
        return None
    whole = records.get(job.whole)
    if whole.state is not JobState.FAILED:
        return None
    store_ending(store, whole)
    store_report(store, records, whole)
    parts = Parts(records).of(whole.id)
    withdraw(records.redis, whole.pool, whole.priority, [part.id for part in parts if part.state.final])
    return whole


def tell_failed(app: Celery, job: JobRecord) -> None:
    """Tells Flower that a job has failed whose message is long spent."""
    with app.events.default_dispatcher() as dispatcher:
        dispatcher.send("task-failed", uuid=job.id, exception=f"{job.cause}: {job.message}", traceback="")
