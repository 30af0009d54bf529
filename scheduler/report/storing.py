"""A report in the store, beside what else a job left; and one made for whoever asks before it is there."""

import logging
from collections.abc import Mapping
from typing import Any

from scheduler.artifacts import ArtifactStore, JobKeys
from scheduler.errors import UnknownArtifact
from scheduler.records import JobRecord, Records
from scheduler.report.material import gather
from scheduler.report.page import STATE, render

logger = logging.getLogger(__name__)

#: Of the artifact.
NAME = "report.html"


def store_report(
    store: ArtifactStore, records: Records, record: JobRecord, result: Mapping[str, Any] | None = None
) -> None:
    """Puts the report of a job among its artifacts. Whether this succeeds changes nothing for the job.

    Args:
        store: has the job's files.
        records: has its attempts.
        record: the job, with the state that the report is to show.
        result: what the job comes to, where it is not in the store yet.
    """
    try:
        page = render(gather(store, record, records.attempts(record.id), result))
        store.put(JobKeys(record.id).artifact(NAME), page.encode(), "text/html; charset=utf-8")
    except Exception as error:  # of whatever sort: a page about a job must never be what the job fails of
        logger.warning("job %s has no report: %s: %s", record.id, type(error).__name__, error)


def read_report(store: ArtifactStore, records: Records, record: JobRecord) -> str:
    """The stored report; made now if there is none, or one that tells of another state.

    Raises:
        Unreachable: a server does not answer.
    """
    if record.state.final:
        try:
            page = store.get(JobKeys(record.id).artifact(NAME)).decode()
        except UnknownArtifact:
            page = ""
        # One that says SUCCEEDED may be of an attempt that died just before it could say so.
        if STATE.format(record.state) in page:
            return page
    return render(gather(store, record, records.attempts(record.id)))
