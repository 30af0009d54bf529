from jobs.context import JobContext
from triptych_trial.spec import Survey, TrialResult


def run(spec: Survey, context: JobContext) -> TrialResult:
    table = context.table(spec.dataset)
    last = table.calendar.texts(table.times(0)[-1:])[0]
    return TrialResult(text=f"{len(table.ids)} series of {', '.join(table.columns)} until {last}")
