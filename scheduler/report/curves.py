"""Numbers over the steps of a job, as curves that share charts. `drawing.py` draws them."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Points of a curve: more are not to be told apart on a screen.
POINTS = 300
#: Curves of a chart: as many as there are colours.
MOST_CURVES = 5
#: Ratio of largest to smallest from which on the axis is logarithmic.
_DECADES = 200.0
_OF_EVERY_LINE = frozenset({"step", "time", "stage"})

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """One metric: for each step its value; the highest and lowest where several steps share a point."""

    name: str
    points: Sequence[Point]
    low: Sequence[float]
    high: Sequence[float]
    last: float


@dataclass(frozen=True)
class Chart:
    """Curves that are measured alike."""

    title: str
    curves: Sequence[Curve]
    colours: Sequence[int] = ()  #: of the curves, by number; by default in their order

    @property
    def logarithmic(self) -> bool:
        """Whether the values lie too far apart to be seen on an even axis."""
        values = [value for curve in self.curves for value in (*curve.low, *curve.high)]
        return min(values) > 0 and max(values) / min(values) > _DECADES


def charts(metrics: Iterable[Mapping[str, Any]]) -> list[Chart]:
    """Every metric beside those whose names end alike (`d_loss`, `g_loss`), or else begin alike."""
    drawn = [curve_of(name, points) for name, points in series_of(metrics).items() if len(points) > 1]
    return [
        Chart(", ".join(curve.name for curve in curves), curves)
        for group in _alike(drawn)
        for start in range(0, len(group), MOST_CURVES)
        if (curves := group[start : start + MOST_CURVES])
    ]


def series_of(metrics: Iterable[Mapping[str, Any]]) -> dict[str, list[Point]]:
    """The finite values of every metric with their steps."""
    series: dict[str, list[Point]] = defaultdict(list)
    for line in metrics:
        for name, value in line.items():
            if name not in _OF_EVERY_LINE and isinstance(value, int | float) and math.isfinite(value):
                series[name].append((float(line["step"]), float(value)))
    return series


def _alike(drawn: Sequence[Curve]) -> list[list[Curve]]:
    by_end: dict[str, list[Curve]] = defaultdict(list)
    for curve in drawn:
        by_end[curve.name.rpartition("_")[2]].append(curve)
    groups: dict[str, list[Curve]] = defaultdict(list)
    for end, curves in by_end.items():
        alone = len(curves) == 1 and "_" in curves[0].name
        groups[curves[0].name.partition("_")[0] + "_" if alone else end] += curves
    return list(groups.values())


def curve_of(name: str, points: Sequence[Point]) -> Curve:
    """At most `POINTS` points, each the mean of its share."""
    share = math.ceil(len(points) / POINTS)
    pieces = [points[start : start + share] for start in range(0, len(points), share)]
    means = [
        (piece[-1][0] if share == 1 else _mean([step for step, _ in piece]), _mean([v for _, v in piece]))
        for piece in pieces
    ]
    low = [min(value for _, value in piece) for piece in pieces]
    high = [max(value for _, value in piece) for piece in pieces]
    return Curve(name, means, low, high, points[-1][1])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
