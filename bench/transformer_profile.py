"""Where the time of a training step goes: `python -m bench.transformer_profile [PRECISION [WIDTH [BATCH]]]`.

One batch, several steps, TensorFlow's own profiler; milliseconds a step by the sort of operation, summed over
threads. Operations overlap a little, so their sum is more than the step, which is timed without the profiler.
"""

import collections
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

STEPS = 5
#: By the name of the operation, or of XLA's call that runs one compiled pass.
SORTS = {
    "products of matrices": ("_MklMatMul", "_MklNativeFusedMatMul", "_MklFusedMatMul", "MatMul"),
    "products in the attention": ("_MklBatchMatMulV2", "BatchMatMulV2"),
    "compiled passes: GELU, normalisation, softmax, dropout": ("ExecuteAsyncOnStream",),
    "AdamW and the gradients' norm": ("ResourceApplyAdam", "L2Loss", "Mul", "AssignVariableOp"),
    "gradient of the table of tokens": ("UnsortedSegmentSum", "Unique", "ResourceGather"),
    "casts": ("Cast",),
    "moves": (
        "_MklTranspose",
        "Transpose",
        "Pack",
        "ConcatV2",
        "Slice",
        "StridedSliceGrad",
        "Tile",
        "Reshape",
    ),
    "sums of gradients": ("AddN", "BiasAddGrad", "Sum"),
}


def main(precision: str, width: int, batch: int) -> None:
    import tensorflow as tf

    from bench.transformer_step import Training

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "bench.finetuning", "rows", "0", folder], check=True)
        training = Training(Path(folder), precision)
        rows = np.flatnonzero((training.tweets.lengths > width - 8) & (training.tweets.lengths <= width))
        rows = rows[:batch]
        for _ in range(3):
            training.step(rows)
        seconds = [_timed(training, rows) for _ in range(15)]
        tf.profiler.experimental.start(folder)
        for _ in range(STEPS):
            training.step(rows)
        tf.profiler.experimental.stop()
        spent = _spent(next(Path(folder).rglob("*.xplane.pb")))
    took = statistics.median(seconds) * 1e3
    print(f"a step of {len(rows)} texts of {width} tokens, {precision}: {took:.0f} ms")
    for name, operations in SORTS.items():
        print(f"  {name:56} {sum(spent.pop(each, 0.0) for each in operations):7.1f} ms")
    rest = sorted(spent.items(), key=lambda item: -item[1])[:8]
    print("  the largest others: " + ", ".join(f"{name} {each:.1f}" for name, each in rest))


def _timed(training: object, rows: np.ndarray) -> float:
    began = time.monotonic()
    training.step(rows)  # type: ignore[attr-defined]
    return time.monotonic() - began


def _spent(path: Path) -> dict[str, float]:
    """Milliseconds a step by the type of the operation."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(path.read_bytes())
    spent: dict[str, float] = collections.defaultdict(float)
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                *_, kind = plane.event_metadata[event.metadata_id].name.split(":")
                spent[kind] += event.duration_ps / 1e9 / STEPS
    return spent


if __name__ == "__main__":
    given = sys.argv[1:]
    main(given[0] if given else "bfloat16", *(map(int, given[1:3] + ["40", "32"][len(given[1:3]) :])))
