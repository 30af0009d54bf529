"""A chart as shapes: what a page's SVG is made of, in its own coordinates."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scheduler.report.curves import Chart, Curve

WIDTH, HEIGHT = 420.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 10.0, 10.0, 28.0


@dataclass(frozen=True)
class Mark:
    """A number beside an axis."""

    x: str
    y: str
    anchor: str  #: the side of the text that is at x
    text: str


@dataclass(frozen=True)
class Line:
    """A curve: its points, the band between its lowest and highest values, and its last value."""

    name: str
    points: str
    band: str  #: empty where lowest and highest are the same
    last: str
    colour: int


@dataclass(frozen=True)
class Drawing:
    """A chart; its colours are the page's variables, so that it follows light and dark."""

    title: str
    logarithmic: bool
    rules: Sequence[str]  #: paths of the level lines
    marks: Sequence[Mark]
    lines: Sequence[Line]


def drawn(chart: Chart) -> Drawing:
    """The shapes of a chart."""
    steps = [step for curve in chart.curves for step, _ in curve.points]
    values = [value for curve in chart.curves for value in (*curve.low, *curve.high)]
    across = _Axis(min(steps), max(steps), _LEFT, WIDTH - _RIGHT)
    up = _Axis(min(values), max(values), HEIGHT - _BOTTOM, _TOP, chart.logarithmic)
    levels = [(up.place(value), number(value)) for value in up.ticks()]
    columns = [(across.place(value), number(value)) for value in across.ticks()]
    return Drawing(
        title=chart.title,
        logarithmic=chart.logarithmic,
        rules=[f"M{_LEFT:g} {y:.1f}H{WIDTH - _RIGHT:g}" for y, _ in levels],
        marks=[
            *(Mark(f"{_LEFT - 6:g}", f"{y + 4:.1f}", "end", text) for y, text in levels),
            *(
                Mark(f"{x:.1f}", f"{HEIGHT - 10:g}", "middle" if x < WIDTH - 30 else "end", text)
                for x, text in columns
            ),
        ],
        lines=[
            _line(curve, across, up, colour)
            for colour, curve in zip(chart.colours or range(len(chart.curves)), chart.curves, strict=True)
        ],
    )


def number(value: float) -> str:
    """A number as people read it: 1,200,000 as 1.2M, 0.00004 as 4e-05."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.4g}"


def _line(curve: Curve, across: "_Axis", up: "_Axis", colour: int) -> Line:
    steps = [step for step, _ in curve.points]

    def points(values: Iterable[float]) -> list[str]:
        places = zip(steps, values, strict=True)
        return [f"{across.place(step):.1f},{up.place(value):.1f}" for step, value in places]

    band = [] if curve.low == curve.high else points(curve.high) + points(curve.low)[::-1]
    middle = points(value for _, value in curve.points)
    return Line(curve.name, " ".join(middle), " ".join(band), number(curve.last), colour)


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
