from jobs.context import JobContext
from triptych_trial.spec import Look, TrialResult


def run(spec: Look, context: JobContext) -> TrialResult:
    images = context.image_set(spec.dataset)
    return TrialResult(text=f"{images.images.shape}")
