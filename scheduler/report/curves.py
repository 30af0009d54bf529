"""Numbers over the steps of a job as charts: SVG that a page holds in itself."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

#: Points of a curve: more are not to be told apart on a screen.
POINTS = 300
#: Curves of a chart: as many as there are colours.
MOST_CURVES = 5
#: Ratio of largest to smallest from which on the axis is logarithmic.
_DECADES = 200.0
_WIDTH, _HEIGHT = 420.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 10.0, 10.0, 28.0
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

    @property
    def logarithmic(self) -> bool:
        """Whether the values lie too far apart to be seen on an even axis."""
        values = [value for curve in self.curves for value in (*curve.low, *curve.high)]
        return min(values) > 0 and max(values) / min(values) > _DECADES


def charts(metrics: Iterable[Mapping[str, Any]]) -> list[Chart]:
    """Every metric beside those whose names end alike (`d_loss`, `g_loss`), or else begin alike."""
    series: dict[str, list[Point]] = defaultdict(list)
    for line in metrics:
        for name, value in line.items():
            if name not in _OF_EVERY_LINE and isinstance(value, int | float) and math.isfinite(value):
                series[name].append((float(line["step"]), float(value)))
    drawn = [_curve(name, points) for name, points in series.items() if len(points) > 1]
    return [
        Chart(", ".join(curve.name for curve in curves), curves)
        for group in _alike(drawn)
        for start in range(0, len(group), MOST_CURVES)
        if (curves := group[start : start + MOST_CURVES])
    ]


def _alike(drawn: Sequence[Curve]) -> list[list[Curve]]:
    by_end: dict[str, list[Curve]] = defaultdict(list)
    for curve in drawn:
        by_end[curve.name.rpartition("_")[2]].append(curve)
    groups: dict[str, list[Curve]] = defaultdict(list)
    for end, curves in by_end.items():
        alone = len(curves) == 1 and "_" in curves[0].name
        groups[curves[0].name.partition("_")[0] + "_" if alone else end] += curves
    return list(groups.values())


def svg(chart: Chart) -> str:
    """A chart; its colours are the page's variables, so that it follows light and dark."""
    steps = [step for curve in chart.curves for step, _ in curve.points]
    values = [value for curve in chart.curves for value in (*curve.low, *curve.high)]
    across = _Axis(min(steps), max(steps), _LEFT, _WIDTH - _RIGHT)
    up = _Axis(min(values), max(values), _HEIGHT - _BOTTOM, _TOP, chart.logarithmic)
    label = f"{escape(chart.title)} over steps"
    parts = [f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{label}">']
    for value in up.ticks():
        y = up.place(value)
        parts.append(f'<path class="grid" d="M{_LEFT:g} {y:.1f}H{_WIDTH - _RIGHT:g}"/>')
        parts.append(
            f'<text class="tick" x="{_LEFT - 6:g}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>'
        )
    for value in across.ticks():
        x = across.place(value)
        anchor = "middle" if x < _WIDTH - 30 else "end"
        place = f'x="{x:.1f}" y="{_HEIGHT - 10:g}" text-anchor="{anchor}"'
        parts.append(f'<text class="tick" {place}>{number(value)}</text>')
    for index, curve in enumerate(chart.curves):
        parts.append(_drawn(curve, across, up, index))
    parts.append("</svg>")
    return "".join(parts)


def number(value: float) -> str:
    """A number as people read it: 1,200,000 as 1.2M, 0.00004 as 4e-05."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.4g}"


def _curve(name: str, points: Sequence[Point]) -> Curve:
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


def _drawn(curve: Curve, across: "_Axis", up: "_Axis", index: int) -> str:
    line = " ".join(f"{across.place(step):.1f},{up.place(value):.1f}" for step, value in curve.points)
    over = [
        f"{across.place(p[0]):.1f},{up.place(v):.1f}" for p, v in zip(curve.points, curve.high, strict=True)
    ]
    under = [
        f"{across.place(p[0]):.1f},{up.place(v):.1f}" for p, v in zip(curve.points, curve.low, strict=True)
    ]
    band = (
        "" if curve.low == curve.high else f'<polygon class="band" points="{" ".join(over + under[::-1])}"/>'
    )
    return (
        f'<g class="curve-{index}"><title>{escape(curve.name)}</title>{band}<polyline points="{line}"/></g>'
    )


class _Axis:
    """Values onto places."""

    def __init__(self, low: float, high: float, start: float, end: float, logarithmic: bool = False) -> None:
        if low == high:  # a level line lies in the middle
            room = abs(low) / 2 or 0.5
            low, high = low - room, high + room
        self._logarithmic = logarithmic
        self._low, self._high = (math.log10(low), math.log10(high)) if logarithmic else (low, high)
        self._start, self._end = start, end

    def place(self, value: float) -> float:
        value = math.log10(value) if self._logarithmic else value
        return self._start + (value - self._low) / (self._high - self._low) * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Round numbers within the axis, some five of them."""
        if self._logarithmic:
            decades = range(math.ceil(self._low), math.floor(self._high) + 1)
            return [10.0**decade for decade in decades[:: math.ceil(len(decades) / 6) or 1]]
        raw = (self._high - self._low) / 4
        size = 10.0 ** math.floor(math.log10(raw))
        step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
        first, last = math.ceil(self._low / step - 1e-9), math.floor(self._high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]
