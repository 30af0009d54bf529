import time

import numpy as np
from safetensors.numpy import save

from jobs.checkpoints.file import Checkpoint, digest_of_spec, digest_of_state
from jobs.context import JobContext, Progress
from triptych_trial.spec import Walk, WalkResult


def run(spec: Walk, context: JobContext) -> WalkResult:
    """Stochastic descent with momentum; the weights depend on every draw and on their order."""
    if spec.fault == "bug":
        raise ValueError("an unexpected fault")
    weights, momentum, begin = np.ones(4), np.zeros(4), 0
    random = np.random.default_rng(spec.seed)  # in every attempt from its start: not to be used for steps
    found = context.load_checkpoint()
    if found is not None:
        begin, weights = found.step, found.arrays["weights"].copy()
        if spec.fault != "unsaved":
            momentum = found.arrays["momentum"].copy()

    def checkpoint(step: int) -> Checkpoint:
        arrays = {"weights": weights.copy(), "momentum": momentum.copy()}
        return Checkpoint(step, arrays, {"spec": digest_of_spec(spec)})

    for step in range(begin + 1, spec.steps + 1):
        time.sleep(0.002)
        if spec.fault == "unseeded":
            centre = random.standard_normal(4)
        elif spec.fault == "order":
            centre = np.random.default_rng([spec.seed, step - begin]).standard_normal(4)
        else:
            centre = np.random.default_rng([spec.seed, step]).standard_normal(4)
        momentum = 0.9 * momentum + (weights - centre)
        weights = weights - 0.01 * momentum
        context.report(Progress(step, spec.steps))
        if not context.checkpoint_in_flight():
            context.save_checkpoint(checkpoint(step))
    last = checkpoint(spec.steps)
    context.save_checkpoint(last)
    context.save_artifact("weights.safetensors", save({"weights": weights}))
    return WalkResult(steps=spec.steps, state_sha256=digest_of_state(last.arrays))
