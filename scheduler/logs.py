"""The output of a job: from the store for attempts that ended, from Redis while one runs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from scheduler.artifacts import JobKeys
from scheduler.errors import UnknownArtifact
from scheduler.records import Records

if TYPE_CHECKING:
    from scheduler.client import Client
    from scheduler.job import Job

_BLOCK = 1.0


def read_logs(client: "Client", job: "Job[Any]", follow: bool) -> Iterator[str]:
    """Yields the output of every attempt, oldest first; with `follow`, until the job has ended."""
    record = job.record
    running = None if record.state.final else record.attempt
    for attempt in range(1, record.attempt + 1):
        if attempt != running:
            yield from _stored(client, job.id, attempt, record.attempt > 1)
    if running is None:
        return
    last = "0"
    while True:
        # Asked before the stream is read: what came before the end is read in any case.
        ended = job.record.state.final
        for entry_id, entry in client.records.log(job.id, last, 0.0 if ended or not follow else _BLOCK):
            last = entry_id
            if int(entry["attempt"]) >= running:
                yield entry["text"]
        if ended or not follow:
            return


def _stored(client: "Client", job_id: str, attempt: int, headed: bool) -> Iterator[str]:
    try:
        text = client.store.get(JobKeys(job_id).log(attempt)).decode(errors="replace")
    except UnknownArtifact:
        # Its worker was killed before it could store the log.
        text = live_output(client.records, job_id, attempt)
    if headed:
        yield f"--- attempt {attempt} ---\n"
    yield text


def live_output(records: Records, job_id: str, attempt: int) -> str:
    """What an attempt has printed so far, as far as Redis still has it."""
    parts, last = [], "0"
    while entries := records.log(job_id, last):
        last = entries[-1][0]
        parts += [fields["text"] for _, fields in entries if int(fields["attempt"]) == attempt]
    return "".join(parts)
