"""OpenVINO's session: on a CPU it spends less around each product than TensorFlow, which counts for few rows.

The caches are NumPy's, and the graph reads them where they are; what a step has computed is written into them
here, so that no step copies them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jobs.training import machine
from jobs.transformer.bulk.openvino import quiet_import
from jobs.transformer.decoder.forward import MASKED
from jobs.transformer.decoder.layout import Array, Layout
from jobs.transformer.decoder.openvino_graph import TYPES, Kernels, StepGraph, angles, windows
from jobs.transformer.decoder.session import Session

_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoDecoder:
    """A decoder whose weights stay as they are.

    Args:
        layout: of the decoder.
        weights: float32 by name.
        precision: `float32` or `bfloat16`.
    """

    def __init__(self, layout: Layout, weights: Mapping[str, Array], precision: str) -> None:
        self.layout, self.precision = layout, precision
        self._openvino = quiet_import()
        self._kernels = Kernels(self._openvino, weights, precision)
        self._core = self._openvino.Core()

    def session(self, rows: int, slots: int) -> Session:
        """A session of a shape."""
        return _Session(self, rows, slots)

    def request(self, rows: int, slots: int, width: int) -> Any:
        """A compiled step, to be asked."""
        settings = {
            "INFERENCE_PRECISION_HINT": _PRECISIONS[self.precision],
            "INFERENCE_NUM_THREADS": machine.threads(),
            "NUM_STREAMS": 1,
            # Jobs side by side on one machine would be pinned to the same cores.
            "ENABLE_CPU_PINNING": False,
        }
        graph = StepGraph(self.layout, self._kernels, rows, slots, width)
        return self._core.compile_model(graph.model(), "CPU", settings).create_infer_request()

    def shared(self, array: Array) -> Any:
        """An array of keys or values as a tensor on the same memory."""
        openvino = self._openvino
        kind = getattr(openvino.Type, TYPES[self.precision][0])
        return openvino.Tensor(array, openvino.Shape(list(array.shape)), kind)


class _Session(Session):
    """See `Session`."""

    def __init__(self, decoder: OpenVinoDecoder, rows: int, slots: int) -> None:
        layout = decoder.layout
        super().__init__(layout, rows, slots)
        self._decoder = decoder
        self._kind = TYPES[decoder.precision][1]
        self._caches = np.zeros((2 * layout.layers, rows, layout.groups, slots, layout.head), self._kind)
        self._angles = angles(layout, slots)
        self._requests: dict[int, Any] = {}
        self._every = np.arange(rows)

    def step(self, tokens: Array, starts: Array, last: Array) -> Array:
        """See `Session.step`."""
        width = tokens.shape[1]
        places = np.minimum(starts[:, None] + np.arange(width, dtype=np.int32), self.slots - 1)
        given = [tokens, np.minimum(places, self._layout.positions - 1), last]
        given += [each[places][:, :, None] for pair in self._angles for each in pair]
        given += [self._bias(starts, places, window) for window in windows(self._layout)]
        request = self._of(width)
        request.infer({number: np.ascontiguousarray(each) for number, each in enumerate(given)})
        new = request.get_output_tensor(1).data.view(self._kind)  # (2 * layers, rows, groups, width, head)
        for number in range(width):
            column = new[:, :, :, number].transpose(1, 0, 2, 3)
            self._caches[:, self._every, :, places[:, number]] = column
        return np.array(request.get_output_tensor(0).data)  # a copy: the request will be used again

    def _of(self, width: int) -> Any:
        if width not in self._requests:
            request = self._decoder.request(self.rows, self.slots, width)
            first = 3 + 2 * len(self._angles) + len(windows(self._layout))
            for number, cache in enumerate(self._caches):
                request.set_input_tensor(first + number, self._decoder.shared(cache))
            self._requests[width] = request
        return self._requests[width]

    def _bias(self, starts: Array, places: Array, window: int | None) -> Array:
        """0 where a token of the step may read a slot, or a token of the step, else `MASKED`."""
        slots = np.arange(self.slots)
        before = np.broadcast_to(slots < starts[:, None, None], (*places.shape, self.slots))
        order = np.arange(places.shape[1])
        within = np.broadcast_to(order[None] <= order[:, None], (len(places), len(order), len(order)))
        may = np.concatenate([before, within], axis=2)
        if window is not None:
            keys = np.concatenate([np.broadcast_to(slots, (len(places), self.slots)), places], axis=1)
            may = may & (keys[:, None] > places[:, :, None] - window)
        return np.where(may, np.float32(0), np.float32(MASKED))[:, None, None]
