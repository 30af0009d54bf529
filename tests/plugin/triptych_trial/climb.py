import os
import time
from pathlib import Path

import numpy as np

from jobs.checkpoints.file import Checkpoint, digest_of_spec, digest_of_state
from jobs.context import JobContext, Progress
from jobs.errors import Stopped
from triptych_trial.spec import Climb, ClimbResult


def run(spec: Climb, context: JobContext) -> ClimbResult:
    found = context.load_checkpoint()
    if found is None and spec.extends is not None:
        found = next(iter(context.checkpoints_of(spec.extends)))
    state = np.zeros(4) if found is None else found.arrays["state"].copy()
    for epoch in range(found.step if found else 0, spec.epochs):
        time.sleep(spec.epoch_seconds)
        state += spec.rate * (np.random.default_rng([spec.seed, epoch]).standard_normal(4) + 1 - state)
        if spec.journal:
            with Path(spec.journal).open("a") as journal:
                journal.write(f"{spec.rate!r} {epoch} {os.getpid()}\n")
        context.report(Progress(epoch + 1, spec.epochs, metrics={"height": float(state.mean())}))
        stop = context.should_stop()
        context.save_checkpoint(
            Checkpoint(epoch + 1, {"state": state.copy()}, {"spec": digest_of_spec(spec)})
        )
        if stop:
            raise Stopped(stop)
    return ClimbResult(
        epochs=spec.epochs, height=float(state.mean()), digest=digest_of_state({"state": state})
    )
