from jobs.context import JobContext
from triptych_trial.spec import Echo, TrialResult


def run(spec: Echo, context: JobContext) -> TrialResult:
    print(f"echo: {spec.text}")
    context.save_artifact("echo.txt", spec.text.encode())
    return TrialResult(text=spec.text)
