"""A training that tells what it has come to, and who did each of its steps."""

from pydantic import Field

from jobs.spec import JobResult, JobSpec


class DrillResult(JobResult):
    """What a drill has come to."""

    steps: int
    state_sha256: str
    resumed_from: int


class Train(JobSpec[DrillResult], kind="drill.train"):
    """Fits a line to noisy points, by stochastic descent with momentum."""

    steps: int = Field(default=40, ge=1)
    step_seconds: float = Field(default=0.0, ge=0)
    checkpoint_every: int = Field(default=5, ge=1)
    journal: str = Field(default="", description="a file that gets a line `pid step` for every step done")


SMALLEST = (Train(),)
