import hashlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jobs.checkpoints.file import Checkpoint, digest_of_spec
from jobs.context import JobContext, Progress
from jobs.dividing.parts import Cuts, Part, PartResult, Piece
from jobs.errors import BadInput, Stopped
from triptych_trial.spec import Rows, TrialResult

_SHARD = "rows.npy"


def run(spec: Rows, context: JobContext) -> TrialResult:
    return _whole(context, _computed(spec, context, 0, spec.rows))


def cuts(spec: Rows, context: JobContext) -> Cuts:
    return Cuts.every(spec.window, spec.rows)


def compute(spec: Rows, context: JobContext, part: Part) -> PartResult:
    print(f"rows {part.first} to {part.end}")
    if part.number == spec.bad_part and not Path(spec.mended_by).is_file():
        raise BadInput("this part cannot be done")
    np.save(context.folder / _SHARD, _computed(spec, context, part.first, part.end))
    context.save_shard(_SHARD, context.folder / _SHARD)
    return PartResult(shards=(_SHARD,), facts={"rows": part.rows})


def join(spec: Rows, context: JobContext, pieces: Sequence[Piece]) -> TrialResult:
    print(f"joins {len(pieces)}")
    return _whole(context, np.concatenate([np.load(piece.shards[0]) for piece in pieces]))


def _computed(spec: Rows, context: JobContext, first: int, end: int) -> np.ndarray:  # type: ignore[type-arg]
    """A number for each row, that follows from its own number and the window that it is in."""
    found = context.load_checkpoint()
    numbers = [] if found is None else list(found.arrays["numbers"])
    began = len(numbers)
    for row in range(first + began, end):
        numbers.append((row * 7919 + row // spec.window) % 1_000_003)
        time.sleep(spec.row_seconds)
        if (row + 1) % spec.window and row + 1 < end:
            continue
        done = row + 1 - first
        context.report(Progress(done, end - first, f"row {done}/{end - first}"))
        stop = context.should_stop() if row + 1 < end else None
        if row + 1 < end and (stop or spec.killed):
            array = np.array(numbers, np.int64)
            context.save_checkpoint(Checkpoint(done, {"numbers": array}, {"spec": digest_of_spec(spec)}))
        if stop:
            raise Stopped(stop)
        if spec.killed and began == 0 and done < end - first:
            while context.checkpoint_in_flight():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
    return np.array(numbers, np.int64)


def _whole(context: JobContext, numbers: np.ndarray) -> TrialResult:  # type: ignore[type-arg]
    context.save_artifact("rows.bin", numbers.tobytes())
    return TrialResult(text=hashlib.sha256(numbers.tobytes()).hexdigest(), steps=len(numbers))
