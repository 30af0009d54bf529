from jobs.context import JobContext
from jobs.errors import BadInput
from triptych_trial.spec import Bowl, BowlResult


def run(spec: Bowl, context: JobContext) -> BowlResult:
    height = (spec.x - 1) ** 2 + (3 if spec.shape == "steep" else 1) * (spec.y + 2) ** 2
    if height > spec.breaks_above:
        raise BadInput(f"too high: {height}")
    return BowlResult(height=height)
