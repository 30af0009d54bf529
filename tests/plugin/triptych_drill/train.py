import os
import time
from pathlib import Path

import numpy as np

from jobs.checkpoints.file import Checkpoint, digest_of_spec, digest_of_state
from jobs.context import JobContext, Progress
from jobs.errors import Stopped
from triptych_drill.spec import DrillResult, Train

Array = np.ndarray


def run(spec: Train, context: JobContext) -> DrillResult:
    found = context.load_checkpoint()
    state = begin() if found is None else {name: array.copy() for name, array in found.arrays.items()}
    done = 0 if found is None else found.step
    print(f"begins at step {done}")
    for step in range(done + 1, spec.steps + 1):
        time.sleep(spec.step_seconds)
        state, loss = descend(state, spec.seed, step)
        note(spec, step)
        context.report(Progress(step, spec.steps, metrics={"loss": loss}))
        stop = context.should_stop()
        if step % spec.checkpoint_every == 0 or stop:
            context.save_checkpoint(Checkpoint(step, state, {"spec": digest_of_spec(spec)}))
        if stop:
            raise Stopped(stop)
    return DrillResult(steps=spec.steps, state_sha256=digest_of_state(state), resumed_from=done)


def begin() -> dict[str, Array]:
    return {"weights": np.zeros(8), "momentum": np.zeros(8), "seen": np.zeros((), np.int64)}


def descend(state: dict[str, Array], seed: int, step: int) -> tuple[dict[str, Array], float]:
    """One step; its batch is a pure function of (seed, step)."""
    random = np.random.default_rng([seed, step])
    points = random.standard_normal((16, 8))  # (batch, features)
    error = points @ (state["weights"] - np.arange(8)) + random.standard_normal(16)  # (batch,)
    momentum = 0.9 * state["momentum"] + points.T @ error / 16
    state = {
        "weights": state["weights"] - 0.01 * momentum,
        "momentum": momentum,
        "seen": state["seen"] + 16,
    }
    return state, float(np.mean(error**2))


def note(spec: Train, step: int) -> None:
    if spec.journal:
        with Path(spec.journal).open("a") as journal:
            journal.write(f"{os.getpid()} {step}\n")
