"""Filled gaps as PNG files."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.pictures.lettering import verbatim
from jobs.selfsupervised.series.gap_filling.filling import Decision, Filler, Seen, values_of
from jobs.selfsupervised.series.gap_filling.gaps import Gap

Array = np.ndarray[Any, Any]


#: Rows around a gap, as a multiple of its own, and of the shortest that counts.
_AROUND, _SHORTEST = 2, 12


@dataclass(frozen=True)
class Shown:
    """A gap to draw, in the column's own units.

    Attributes:
        title: above it.
        times: datetime64 (rows,), with what is around the gap.
        numbers: float64 (rows,), NaN where one is missing.
        first: the first row of the gap among them.
        values: of the gap, and the ends of their intervals, float64 (gap,) each.
        truth: what was hidden, float64 (gap,); None where nobody knows it.
    """

    title: str
    times: Array
    numbers: Array
    first: int
    values: tuple[Array, Array, Array]
    truth: Array | None = None


def shown_of(filler: Filler, decision: Decision, gap: Gap, seen: Seen, title: str = "") -> Shown:
    """A gap with its values and what is around it; what the table has in it counts as hidden."""
    table, place = filler.table, filler.plain.places[gap.column]
    around = _AROUND * max(len(gap), _SHORTEST)
    first, end = max(gap.first - around, 0), min(gap.end + around, len(seen.numbers))
    values = values_of(filler, decision, seen, gap, slice(gap.first, gap.end))
    truth = filler.plain.numbers(gap.series)[gap.first : gap.end, gap.column]
    name = " ".join(filter(None, (table.ids[gap.series], table.columns[place])))
    return Shown(
        f"{title}{name}: {len(gap)} missing, {decision.of(len(gap))[0]}",
        table.times(gap.series, first, end - first).astype("datetime64[us]"),
        seen.numbers[first:end, gap.column],
        gap.first - first,
        values,
        None if np.isnan(truth).all() else truth,
    )


def drawn(gaps: Sequence[Shown], level: float) -> bytes:
    """Gaps one below the other, each with the band of its interval, as a PNG file."""
    # Not through pyplot, which keeps global state and looks for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.4 * len(gaps) + 0.6), dpi=100, layout="constrained")
    for number, gap in enumerate(gaps):
        axes = figure.add_subplot(len(gaps), 1, number + 1)
        inside = gap.times[gap.first : gap.first + len(gap.values[0])]
        mark = "o" if len(inside) < 3 else None
        axes.plot(gap.times, gap.numbers, color="black", linewidth=1.0, label="seen")
        if gap.truth is not None:
            axes.plot(inside, gap.truth, color="grey", linewidth=1.0, marker=mark, ms=3, label="hidden")
        axes.plot(inside, gap.values[0], color="C0", linewidth=1.4, marker=mark, ms=4, label="filled in")
        if mark:
            size = np.stack([gap.values[0] - gap.values[1], gap.values[2] - gap.values[0]])
            axes.errorbar(inside, gap.values[0], size, color="C0", alpha=0.4, label=f"{level:.0%} interval")
        else:
            axes.fill_between(
                inside, *gap.values[1:], color="C0", alpha=0.2, linewidth=0, label=f"{level:.0%} interval"
            )
        axes.set_title(verbatim(gap.title), fontsize="medium", loc="left")
        axes.tick_params(axis="x", labelsize="small")
        axes.grid(alpha=0.3)
        if number == 0:
            axes.legend(loc="upper left", fontsize="small", ncols=4)
    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, format="png")
    return file.getvalue()
