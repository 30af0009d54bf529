"""The measuring of forecasts, block after block in a fixed order; a later attempt goes on exactly."""

from dataclasses import dataclass

import numpy as np

from jobs.checkpoints.file import Checkpoint, digest_of_spec
from jobs.context import JobContext
from jobs.selfsupervised.series.methods.method import ROWS, Array, Method, Origins
from jobs.selfsupervised.series.scoring import Intervals, Sums
from jobs.selfsupervised.series.spec import EvaluateSeries

#: Blocks of windows between two looks at whether to stop.
BLOCKS = 16


@dataclass
class Measured:
    """Sums over the windows that are done.

    Attributes:
        done: windows.
        sums: by method.
        intervals: of the method that forecasts.
    """

    done: int
    sums: dict[str, Sums]
    intervals: Intervals

    @classmethod
    def begun(cls, methods: dict[str, Method], levels: tuple[float, ...], channels: int) -> "Measured":
        """Before the first window."""
        horizon = next(iter(methods.values())).horizon
        sums = {name: Sums.none(channels, horizon) for name in methods}
        return cls(0, sums, Intervals(levels, channels))

    def add(self, methods: dict[str, Method], chosen: str, origins: Origins) -> None:
        """The next windows, `BLOCKS * ROWS` at most.

        Args:
            methods: by name.
            chosen: the one whose intervals count.
            origins: all there are.
        """
        part = origins[self.done : self.done + BLOCKS * ROWS]
        truths = part.truths(methods[chosen].horizon)
        for name, method in methods.items():
            points, quantiles = method.predict(part, with_quantiles=name == chosen)
            self.sums[name].add(origins.panel, part.channels, points, truths)
            if name == chosen:
                self.intervals.add(part.channels, quantiles, truths)
        self.done += len(part)

    def save(self, spec: EvaluateSeries, context: JobContext) -> None:
        """As a checkpoint."""
        metadata = {"kind": spec.kind, "spec": digest_of_spec(spec)}
        context.save_checkpoint(Checkpoint(self.done, self._arrays(), metadata))

    def resume(self, context: JobContext) -> None:
        """Goes on from the newest checkpoint, if there is one."""
        found = context.load_checkpoint()
        if found is None:
            return
        self.done = found.step
        for name, array in self._arrays().items():
            np.copyto(array, found.arrays[name])

    def _arrays(self) -> dict[str, Array]:
        found = {
            f"{name}.{field}": getattr(each, field)
            for name, each in self.sums.items()
            for field in ("squares", "absolutes", "percentages", "counts")
        }
        return found | {
            f"intervals.{field}": getattr(self.intervals, field) for field in ("pinball", "count", "inside")
        }
