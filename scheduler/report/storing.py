"""A report in the store, beside what else a job left; and one made for whoever asks before it is there."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from jobs.errors import TriptychError
from scheduler.artifacts import ArtifactStore
from scheduler.errors import NotInstalled, UnknownArtifact
from scheduler.keys import JobKeys
from scheduler.parts import Parts
from scheduler.record import JobRecord
from scheduler.records import Records
from scheduler.report.material import gather
from scheduler.states import What

logger = logging.getLogger(__name__)

#: Of the artifact.
NAME = "report.html"
#: How `page.html` tells of what state it is; pages of earlier versions say it in the same words.
STATE = '<meta name="triptych-state" content="{}">'


def store_report(
    store: ArtifactStore, records: Records, record: JobRecord, result: Mapping[str, Any] | None = None
) -> None:
    """Puts the report of a job among its artifacts. Whether this succeeds changes nothing for the job.

    Args:
        store: has the job's files.
        records: has its attempts.
        record: the job, with the state that the report is to show.
        result: the result of the job, where it is not in the store yet.
    """
    try:
        _put(store, record, _made(store, records, record, result))
    except Exception as error:  # of whatever sort: a page about a job must never be what the job fails of
        logger.warning("job %s has no report: %s: %s", record.id, type(error).__name__, error)


def read_report(store: ArtifactStore, records: Records, record: JobRecord) -> str:
    """The stored report; made now, and stored, if there is none, or one that tells of another state.

    Raises:
        NotInstalled: it has to be made, and Jinja2 is not installed here.
        Unreachable: a server does not answer.
    """
    if record.state.final and not record.whole:
        try:
            page = store.get(JobKeys(record.id).artifact(NAME)).decode()
        except UnknownArtifact:
            page = ""
        # One that says SUCCEEDED may be of an attempt that died just before it could say so.
        if STATE.format(record.state) in page:
            return page
    page = _made(store, records, record)
    # A part's would be taken for the whole's, and what was deleted stays so.
    if record.state.final and not record.whole and What.ARTIFACTS not in record.removed:
        with suppress(TriptychError):  # whoever may only read
            _put(store, record, page)
    return page


def _put(store: ArtifactStore, record: JobRecord, page: str) -> None:
    store.put(JobKeys(record.id).artifact(NAME), page.encode(), "text/html; charset=utf-8")


def _made(
    store: ArtifactStore, records: Records, record: JobRecord, result: Mapping[str, Any] | None = None
) -> str:
    try:  # a client reads most reports as a worker has made them
        from scheduler.report.page import render
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"job {record.id} is {record.state}, and the store has no report that says so: making one needs "
            f"the package {error.name}, which comes with the extra `report`"
        ) from None
    parts = Parts(records).of(record.id) if record.parts else ()
    return render(gather(store, record, records.attempts(record.id), result, parts))
