"""The output of a job: from the store for attempts that ended, from Redis while one runs."""

from collections.abc import Iterator
from functools import partial

from scheduler.artifacts import ArtifactStore
from scheduler.errors import UnknownArtifact
from scheduler.keys import JobKeys
from scheduler.parts import Parts
from scheduler.patience import Impatience, Patience
from scheduler.record import JobRecord
from scheduler.records import Records
from scheduler.results import Told

_BLOCK = 1.0


def read_logs(records: Records, store: ArtifactStore, job_id: str, follow: bool) -> Iterator[str]:
    """Yields the output of every attempt, oldest first; with `follow`, until the job has ended.

    That of a divided job's parts stands between that of its division and that of its joining.
    """
    patience = Patience(job_id) if follow else Impatience(job_id)
    record = patience.outlast(partial(records.get, job_id))
    if record.division is None:
        yield from _of_one(records, store, record, follow, patience)
    elif follow and not record.state.final:
        yield from _as_it_comes(records, store, job_id, patience)
    else:
        yield from _of_divided(records, store, record, patience)


def _of_divided(
    records: Records, store: ArtifactStore, record: JobRecord, patience: Patience
) -> Iterator[str]:
    own = list(range(1, record.attempt + 1))
    past = patience.outlast(partial(records.attempts, record.id))
    divided = [item["attempt"] for item in past if item["message"].startswith("divided")]
    before = len(own) if not divided else divided[-1]
    for attempt in own[:before]:
        yield from patience.outlast(partial(_stored, records, store, record.id, attempt, headed=True))
    for part in patience.outlast(partial(Parts(records).of, record.id)):
        yield from _of_part(records, store, part, patience)
    for attempt in own[before:]:
        yield from patience.outlast(partial(_stored, records, store, record.id, attempt, headed=True))


def _as_it_comes(records: Records, store: ArtifactStore, job_id: str, patience: Patience) -> Iterator[str]:
    """The output of the whole as it is printed, and that of each part once it has ended."""
    told: set[str] = set()
    last = "0"
    while True:
        # Asked before the rest is read: what came before the end is read in any case.
        ended = patience.outlast(partial(records.get, job_id)).state.final
        block = 0.0 if ended else _BLOCK
        for entry_id, entry in patience.outlast(partial(records.streams.log, job_id, last, block)):
            last = entry_id
            yield entry["text"]
        for part in patience.outlast(partial(Parts(records).of, job_id)):
            if part.state.final and part.id not in told:
                told.add(part.id)
                yield from _of_part(records, store, part, patience)
        if ended:
            return


def _of_part(records: Records, store: ArtifactStore, part: JobRecord, patience: Patience) -> Iterator[str]:
    if part.attempt and part.part is not None:
        yield f"--- part {part.part.number} of {part.part.count}, on {part.worker} ---\n"
        yield from _of_one(records, store, part, False, patience)


def _of_one(
    records: Records, store: ArtifactStore, record: JobRecord, follow: bool, patience: Patience
) -> Iterator[str]:
    job_id = record.id
    running = None if record.state.final else record.attempt
    for attempt in range(1, record.attempt + 1):
        if attempt != running:
            headed = record.attempt > 1
            yield from patience.outlast(partial(_stored, records, store, job_id, attempt, headed))
    if running is None:
        return
    last = "0"
    while True:
        # Asked before the stream is read: what came before the end is read in any case.
        ended = patience.outlast(partial(records.get, job_id)).state.final
        block = 0.0 if ended or not follow else _BLOCK
        for entry_id, entry in patience.outlast(partial(records.streams.log, job_id, last, block)):
            last = entry_id
            if int(entry["attempt"]) >= running:
                yield entry["text"]
        if ended or not follow:
            return


def _stored(records: Records, store: ArtifactStore, job_id: str, attempt: int, headed: bool) -> list[str]:
    text = stored_log(store, job_id, attempt)
    if text is None:  # its worker was killed before it could store the log
        text = live_output(records, job_id, attempt)
    return [f"--- attempt {attempt} ---\n", text] if headed else [text]


def stored_log(store: ArtifactStore, job_id: str, attempt: int) -> str | None:
    """The log of an attempt, or None: the store has none."""
    keys = JobKeys(job_id)
    try:
        return store.get(keys.log(attempt)).decode(errors="replace")
    except UnknownArtifact:
        told = Told.read(store, keys)
        return told.log if told.attempt == attempt else None


def live_output(records: Records, job_id: str, attempt: int) -> str:
    """What an attempt has printed so far, as far as Redis still has it."""
    parts, last = [], "0"
    while entries := records.streams.log(job_id, last):
        last = entries[-1][0]
        parts += [fields["text"] for _, fields in entries if int(fields["attempt"]) == attempt]
    return "".join(parts)
