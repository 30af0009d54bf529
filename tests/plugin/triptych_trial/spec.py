"""Small jobs that need no TensorFlow."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.names import DataSetName, JobField, JobName
from jobs.spec import JobResult, JobSpec


class TrialResult(JobResult):
    """What a trial leaves."""

    text: str
    steps: int = 0
    resumed_from: int = 0


class Echo(JobSpec[TrialResult], kind="trial.echo"):
    """Says something back."""

    text: str = Field(default="hello", max_length=1000)
    after_model: Annotated[JobName, JobField("trial.echo", "trial.steps")] | None = None


class Steps(JobSpec[TrialResult], kind="trial.steps"):
    """Counts steps, with a checkpoint each."""

    steps: int = Field(default=10, ge=1)
    step_seconds: float = Field(default=0.05, ge=0)
    checkpoint_every: int = Field(default=1, ge=1)
    silent: bool = False
    says: str = ""  # printed at the beginning, variables of the environment put in
    killed_after: int = Field(default=0, ge=0)  # steps of an attempt; 0 = never


class Fail(JobSpec[TrialResult], kind="trial.fail"):
    """Fails in a way of one's choice."""

    how: Literal["bug", "input", "diverge", "kill", "exit", "memory", "swell", "big-log"] = "bug"


class Look(JobSpec[TrialResult], kind="trial.look"):
    """Looks at a data set."""

    dataset: DataSetName


class WalkResult(JobResult):
    """What a walk has come to."""

    steps: int
    state_sha256: str


class Walk(JobSpec[WalkResult], kind="trial.walk"):
    """A training without TensorFlow, whose resume can be broken in a way of one's choice."""

    steps: int = Field(default=60, ge=1)
    fault: Literal["none", "unsaved", "unseeded", "order", "bug"] = "none"
    checkpoint_seconds: float = Field(default=30, ge=0)


SMALLEST = (Walk(),)
