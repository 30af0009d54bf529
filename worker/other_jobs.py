"""What a running job reads of jobs that are finished."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from jobs import catalog
from jobs.checkpoints.file import Checkpoint, digest_of_spec
from jobs.checkpoints.kept import KeptCheckpoints
from jobs.checkpoints.reports import lines_up_to
from jobs.errors import BadInput
from jobs.spec import JobResult, JobSpec
from scheduler.artifacts import ArtifactStore
from scheduler.errors import UnknownArtifact
from scheduler.keys import JobKeys
from scheduler.metrics import StoredMetrics
from scheduler.results import Told
from worker.checkpoints import StoredCheckpoints
from worker.uploads import patiently


class OtherJobs:
    """Their specs and artifacts, which are copied into a folder; a store that is away is waited for."""

    def __init__(self, store: ArtifactStore, folder: Path) -> None:
        self._store, self._folder = store, folder

    def spec(self, job_id: str) -> JobSpec[Any]:
        """See `JobContext.spec_of`."""
        try:
            stored: Mapping[str, Any] = patiently(lambda: self._store.get_json(JobKeys(job_id).spec))
        except UnknownArtifact:
            raise BadInput(f"there is no job {job_id!r} in the store") from None
        return catalog.parse(stored["spec"])

    def artifact(self, job_id: str, name: str) -> Path:
        """See `JobContext.artifact_of`."""
        path = self._folder / job_id / name
        if path.exists():
            return path
        try:
            return patiently(lambda: self._store.get_file(JobKeys(job_id).artifact(name), path))
        except UnknownArtifact:
            raise BadInput(f"job {job_id} has no artifact {name!r}") from None

    def result(self, job_id: str) -> JobResult | None:
        """See `JobContext.result_of`."""
        told = patiently(lambda: Told.read(self._store, JobKeys(job_id)))
        return (
            self.spec(job_id).result_type.model_validate_json(json.dumps(told.result))
            if told.attempt
            else None
        )

    def checkpoints(self, job_id: str) -> Iterator[Checkpoint]:
        """See `JobContext.checkpoints_of`."""
        spec = digest_of_spec(self.spec(job_id))
        place = StoredCheckpoints(self._store, JobKeys(job_id), spec, self._folder)
        return KeptCheckpoints(place, attempt=1).whole()

    def reports(self, job_id: str, step: int) -> str:
        """The lines of its metrics up to a step."""
        keys = JobKeys(job_id)
        found = patiently(lambda: StoredMetrics(self._store, keys).told(Told.read(self._store, keys)))
        return lines_up_to(found.decode(), step)

    def samples(self, job_id: str) -> Iterator[tuple[int, bytes]]:
        """Its samples with their steps, in order."""
        keys = JobKeys(job_id)
        for item in patiently(lambda: list(self._store.under(keys.samples))):
            yield int(PurePosixPath(item.key).stem), patiently(partial(self._store.get, item.key))

    def digest(self, job_id: str, names: tuple[str, ...]) -> str:
        """See `JobContext.digest_of`."""
        keys = [JobKeys(job_id).artifact(name) for name in names]
        # One question for all of them. A file that is missing has no digest: reading it will tell.
        prefix = keys[0] if len(keys) == 1 else keys[0].rpartition("/")[0]
        found = patiently(lambda: self._store.etags(prefix))
        return json.dumps([job_id, *([key, found.get(key)] for key in keys)])
