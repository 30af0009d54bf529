import os
import signal
import time

import numpy as np

from jobs.checkpoints.file import Checkpoint, digest_of_spec, digest_of_state
from jobs.context import JobContext, Progress
from jobs.errors import Stopped
from triptych_trial.spec import Steps, TrialResult


def run(spec: Steps, context: JobContext) -> TrialResult:
    """Sums 1..steps in a state that checkpoints carry over, so that a step done twice or left out shows."""
    found = context.load_checkpoint()
    state = {"sum": np.zeros(1, np.int64)} if found is None else {"sum": found.arrays["sum"].copy()}
    begin = 0 if found is None else found.step
    print(f"begins at step {begin}")
    if spec.says:
        print(os.path.expandvars(spec.says))
    for step in range(begin + 1, spec.steps + 1):
        time.sleep(spec.step_seconds)
        state["sum"] += step
        if not spec.silent:
            context.report(Progress(step, spec.steps, f"step {step}/{spec.steps}", {"loss": 1 / step}, 1.0))
        stop = context.should_stop()
        if step % spec.checkpoint_every == 0 or stop:
            context.save_checkpoint(
                Checkpoint(step, {"sum": state["sum"].copy()}, {"spec": digest_of_spec(spec)})
            )
        if stop:
            raise Stopped(stop)
        if step - begin == spec.killed_after and step < spec.steps:
            while context.checkpoint_in_flight():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
    return TrialResult(
        text=f"{int(state['sum'][0])} {digest_of_state(state)[:12]}", steps=spec.steps, resumed_from=begin
    )
