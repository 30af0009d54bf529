"""Runs a model with OpenVINO, which knows a processor's instructions better than TensorFlow does."""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from jobs.pretrained.tokens import Array
from jobs.training import machine
from jobs.transformer.bulk.quantising import INT8

_TELEMETRY = "openvino_telemetry"
_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
#: Numbers of a row that share a scale where inputs of products are rounded to 8 bits.
_GROUP = 128


def quiet_import() -> Any:
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


def compiled(core: Any, model: Any, precision: str, *, streams: int) -> Any:
    """A model compiled for the threads of this job, which share that many streams of batches.

    Args:
        core: OpenVINO's.
        model: its products are of weights of 8 bits if the precision says so.
        precision: `float32`, `bfloat16` or `int8`.
        streams: batches at once.
    """
    settings = {
        "INFERENCE_PRECISION_HINT": _PRECISIONS[between(precision)],
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": _GROUP if precision == INT8 else 0,
        "INFERENCE_NUM_THREADS": machine.threads(),
        "NUM_STREAMS": streams,
        # Jobs side by side on one machine would be pinned to the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    return core.compile_model(model, "CPU", settings)


def between(precision: str) -> str:
    """What is between the products of a precision: `float32` or `bfloat16`."""
    return machine.precision("auto") if precision == INT8 else precision


class OpenVino:
    """See `Engine`. Each batch is computed by one thread, and as many at once as the job has threads.

    So no batch waits for the slowest of several threads, and none of its bits depends on how many there are.

    Args:
        build: makes the model, as `jobs.transformer.bulk.openvino_graph` does, given the library.
        precision: `float32`, `bfloat16` or `int8`.
    """

    def __init__(self, build: Callable[[Any], Any], precision: str) -> None:
        openvino = quiet_import()
        threads = machine.threads()
        model = compiled(openvino.Core(), build(openvino), precision, streams=threads)
        self._requests = [model.create_infer_request() for _ in range(threads)]

    def run(self, batches: Iterable[tuple[Array, ...]]) -> Iterator[Array]:
        """See `Engine.run`."""
        idle, busy = deque(self._requests), deque[Any]()
        try:
            for batch in batches:
                if not idle:
                    yield _output(busy, idle)
                request = idle.popleft()
                request.start_async(list(batch))
                busy.append(request)
            while busy:
                yield _output(busy, idle)
        finally:
            for request in busy:  # whoever stopped before the end may run it again
                request.wait()


def _output(busy: "deque[Any]", idle: "deque[Any]") -> Array:
    request = busy.popleft()
    request.wait()
    output = np.array(request.get_output_tensor(0).data)  # a copy: the request will be used again
    idle.append(request)
    return output
