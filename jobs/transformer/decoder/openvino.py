"""OpenVINO's session: on a CPU it spends less around each product than TensorFlow, which counts for few rows.

The graph reads the caches where they are, and what a step has computed is written into them here: no step
copies them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jobs.transformer.bulk.openvino import between, compiled, quiet_import
from jobs.transformer.bulk.quantising import INT8
from jobs.transformer.decoder.forward import MASKED
from jobs.transformer.decoder.layout import Array, Layout
from jobs.transformer.decoder.openvino_graph import TYPES, Kernels, StepGraph, angles, windows
from jobs.transformer.decoder.session import Session


class OpenVinoDecoder:
    """A decoder whose weights stay as they are.

    Args:
        layout: of the decoder.
        weights: float32 by name.
        precision: `float32`, `bfloat16` or `int8`.
    """

    def __init__(self, layout: Layout, weights: Mapping[str, Array], precision: str) -> None:
        self.layout, self.precision = layout, between(precision)
        self._asked = precision
        self._openvino = quiet_import()
        self._kernels = Kernels(self._openvino, weights, self.precision, rounded=precision == INT8)
        self._core = self._openvino.Core()

    def session(self, rows: int, slots: int) -> Session:
        """A session of a shape."""
        return _Session(self, rows, slots)

    def request(self, rows: int, slots: int, width: int) -> Any:
        """A compiled step, to be asked."""
        graph = StepGraph(self.layout, self._kernels, rows, slots, width)
        return compiled(self._core, graph.model(), self._asked, streams=1).create_infer_request()

    def cache(self, shape: tuple[int, ...]) -> Any:
        """A tensor of keys or values, of zeros."""
        return self._kernels.filled(np.zeros(shape, TYPES[self.precision][1]))


class _Session(Session):
    """See `Session`."""

    def __init__(self, decoder: OpenVinoDecoder, rows: int, slots: int) -> None:
        layout = decoder.layout
        super().__init__(layout, rows, slots)
        self._decoder = decoder
        self._kind = TYPES[decoder.precision][1]
        shape = (rows, layout.groups, slots, layout.head)
        self._caches = [decoder.cache(shape) for _ in range(2 * layout.layers)]
        self._written = [cache.data.view(self._kind) for cache in self._caches]
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
        for cache, computed in zip(self._written, new, strict=True):
            cache[self._every[:, None], :, places] = computed.transpose(0, 2, 1, 3)
        return np.array(request.get_output_tensor(0).data)  # a copy: the request will be used again

    def _of(self, width: int) -> Any:
        if width not in self._requests:
            request = self._decoder.request(self.rows, self.slots, width)
            first = 3 + 2 * len(self._angles) + len(windows(self._layout))
            for number, cache in enumerate(self._caches):
                request.set_input_tensor(first + number, cache)
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
