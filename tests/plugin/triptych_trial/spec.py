"""Small jobs that need no TensorFlow."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from jobs.extending.specs import TrainingSpec
from jobs.names import DataSetName, JobField, JobName, TableName
from jobs.spec import JobResult, JobSpec


class TrialResult(JobResult):
    """What a trial leaves."""

    text: str
    steps: int = 0
    resumed_from: int = 0


class Echo(JobSpec[TrialResult], kind="trial.echo"):
    """Says something back."""

    reuses_runner: ClassVar[bool] = True

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


class Survey(JobSpec[TrialResult], kind="trial.survey"):
    """Looks at a table with time."""

    dataset: TableName


class Rows(JobSpec[TrialResult], kind="trial.rows"):
    """A number for each row, which many workers can find together."""

    divisible: ClassVar[bool] = True
    reuses_runner: ClassVar[bool] = True

    rows: int = Field(default=20, ge=0)
    window: int = Field(default=3, ge=1)
    row_seconds: float = Field(default=0.0, ge=0)
    bad_part: int = 0  # the part that fails
    mended_by: str = ""  # unless there is this file
    killed: bool = False  # whether each is killed once


class LeaveResult(JobResult):
    """What a job finds in its process."""

    process: int
    found: list[str]


class Leave(JobSpec[LeaveResult], kind="trial.leave"):
    """Leaves something in its process, which others may use after it."""

    reuses_runner: ClassVar[bool] = True

    leaves: str = "nothing"
    megabytes: int = Field(default=1, ge=0)
    says: str = ""
    asks_for: str = ""  # what it wants to find in memory
    needs_clean: bool = False
    steps: int = Field(default=0, ge=0)


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


class BowlResult(JobResult):
    """What a bowl's height is."""

    height: float


class Bowl(JobSpec[BowlResult], kind="trial.bowl"):
    """A known function of two numbers, whose least value is 0 at (1, -2)."""

    reuses_runner: ClassVar[bool] = True

    x: float = Field(ge=-10, le=10)
    y: float = Field(default=0.0, ge=-10, le=10)
    shape: Literal["round", "steep"] = "round"
    breaks_above: float = 1e9  # heights that fail


class ClimbResult(JobResult):
    """Where a climb has ended."""

    epochs: int
    height: float
    digest: str


class Climb(TrainingSpec[ClimbResult], kind="trial.climb"):
    """Learns something by small steps, of which each is a function of the seed and its number."""

    rate: float = Field(default=0.1, gt=0, le=1)
    epochs: int = Field(default=3, ge=1)
    epoch_seconds: float = 0.0
    journal: str = ""  # a file that gets a line for each epoch done
    checkpoint_seconds: float = Field(default=30, ge=0)
