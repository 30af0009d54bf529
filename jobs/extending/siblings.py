"""Finished jobs in the folders beside a job: where `triptych run` finds the jobs that a spec names."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs import catalog
from jobs.checkpoints.file import Checkpoint, digest_of_spec
from jobs.checkpoints.folder import CheckpointFolder
from jobs.checkpoints.kept import KeptCheckpoints
from jobs.checkpoints.reports import lines_up_to
from jobs.errors import BadInput, InvalidSpec
from jobs.names import checked_name, checked_path
from jobs.spec import JobResult, JobSpec


class Siblings:
    """What a job reads of others.

    Args:
        around: the folder that holds the jobs' folders.
    """

    def __init__(self, around: Path) -> None:
        self._around = around

    def folder(self, job_id: str) -> Path:
        """That of a job.

        Raises:
            BadInput: it is the name of a model.
        """
        if "@" in job_id:
            raise BadInput(
                f"{job_id!r} is the name of a model, which a stack knows; here a job is a folder in "
                f"{self._around}"
            )
        return self._around / checked_name(job_id, "job id")

    def spec(self, job_id: str) -> JobSpec[Any]:
        """See `JobContext.spec_of`.

        Raises:
            BadInput: there is no such folder, or no job in it.
        """
        return read_spec(self.folder(job_id))

    def result(self, job_id: str) -> JobResult | None:
        """See `JobContext.result_of`."""
        path = self.folder(job_id) / "result.json"
        return self.spec(job_id).result_type.model_validate_json(path.read_text()) if path.exists() else None

    def artifact(self, job_id: str, name: str) -> Path:
        """See `JobContext.artifact_of`.

        Raises:
            BadInput: that job has no such artifact.
        """
        path = self.folder(job_id) / "artifacts" / checked_path(name, "artifact")
        if not path.is_file():
            raise BadInput(f"job {job_id} has no artifact {name!r}; has it finished?")
        return path

    def checkpoints(self, job_id: str) -> Iterator[Checkpoint]:
        """See `JobContext.checkpoints_of`."""
        folder = self.folder(job_id)
        place = CheckpointFolder(folder / "checkpoints", lambda: digest_of_spec(read_spec(folder)))
        return KeptCheckpoints(place, attempt=1).whole()

    def reports(self, job_id: str, step: int) -> str:
        """The lines of its metrics up to a step."""
        path = self.folder(job_id) / "metrics.jsonl"
        return lines_up_to(path.read_text(), step) if path.exists() else ""

    def samples(self, job_id: str) -> dict[int, Path]:
        """Its samples, by their steps, in order."""
        return {int(path.stem): path for path in sorted((self.folder(job_id) / "samples").glob("*.png"))}


def read_spec(folder: Path) -> JobSpec[Any]:
    """The spec of the job in a folder.

    Raises:
        BadInput: the folder holds no job.
    """
    try:
        return catalog.parse(json.loads((folder / "spec.json").read_text()))
    except FileNotFoundError:
        raise BadInput(f"there is no job {folder.name!r} in {folder.parent}") from None
    except (ValueError, InvalidSpec) as error:
        raise BadInput(f"{folder / 'spec.json'} is not a spec: {error}") from error
