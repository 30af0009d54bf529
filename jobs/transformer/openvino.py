"""Runs a model's graph with OpenVINO, which knows a processor's instructions better than TensorFlow does."""

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from jobs import machine
from jobs.transformer.inference import Forward, frozen
from jobs.transformer.tokens import Array

_TELEMETRY = "openvino_telemetry"


def _import_silently() -> Any:
    """OpenVINO, without its telemetry.

    Importing it would write an identifier into the home folder and send a message to its makers. It goes
    without where the telemetry's package cannot be imported.
    """
    before = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # the documented way to forbid an import
    try:
        import openvino
    finally:
        del sys.modules[_TELEMETRY]
        if before is not None:
            sys.modules[_TELEMETRY] = before
    return openvino


class OpenVino:
    """See `Engine`: one text batch a thread, as many at once as the job has threads.

    A batch is computed by one thread alone, so that its last bits do not depend on how many there are.

    Args:
        forward: what to compute.
        precision: `float32` or `bfloat16`.
    """

    def __init__(self, forward: Forward, precision: str) -> None:
        openvino = _import_silently()
        threads = machine.threads()
        graph = frozen(forward).graph.as_graph_def()
        self._compiled = openvino.Core().compile_model(
            _read(openvino, graph.SerializeToString()),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": threads,
                "ENABLE_CPU_PINNING": False,  # two slots on one machine would be pinned to the same cores
            },
        )
        self._requests = [self._compiled.create_infer_request() for _ in range(threads)]

    def run(self, batches: Iterable[tuple[Array, Array]]) -> Iterator[Array]:
        """See `Engine.run`."""
        idle, busy = deque(self._requests), deque[Any]()
        for tokens, lengths in batches:
            if not idle:
                yield _output(busy, idle)
            request = idle.popleft()
            request.start_async({"tokens:0": tokens, "lengths:0": lengths})
            busy.append(request)
        while busy:
            yield _output(busy, idle)


def _output(busy: "deque[Any]", idle: "deque[Any]") -> Array:
    request = busy.popleft()
    request.wait()
    output = np.array(request.get_output_tensor(0).data)  # a copy: the request will be used again
    idle.append(request)
    return output


def _read(openvino: Any, graph: bytes) -> Any:
    # Not `openvino.convert_model`, which sends what was converted to OpenVINO's makers.
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="triptych-") as folder:
        path = Path(folder) / "graph.pb"
        path.write_bytes(graph)
        return openvino.Core().read_model(path)
