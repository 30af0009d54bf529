"""Forecasts over what came, and their error by row ahead, as PNG files."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.pictures.lettering import verbatim
from jobs.selfsupervised.series.methods.method import Method, Origins
from jobs.selfsupervised.series.panel import Panel
from jobs.selfsupervised.series.splitting import Split

Array = np.ndarray[Any, Any]

#: Rows before a forecast that a picture shows, in horizons.
_BEFORE = 2


@dataclass(frozen=True)
class Scene:
    """One forecast to draw, in the column's own units.

    Attributes:
        title: above it.
        times: datetime64 (before + horizon,).
        truth: float64 (before + horizon,), NaN where a value is missing or not known yet.
        points: float64 (horizon,).
        quantiles: float64 (levels, horizon).
    """

    title: str
    times: Array
    truth: Array
    points: Array
    quantiles: Array


def scenes(panel: Panel, method: Method, origins: Origins, titles: Sequence[str] = ()) -> list[Scene]:
    """What to draw of a method's forecasts from places."""
    horizon = method.horizon
    points, quantiles = method.predict(origins)
    found = []
    for number in range(len(origins)):
        place, channel = int(origins.places[number]), int(origins.channels[number])
        start = int(panel.starts[channel])
        before = min(_BEFORE * horizon, place - start)
        end = min(place + horizon, start + int(panel.lengths[channel]))
        truth = np.full(before + horizon, np.nan)
        truth[: end - place + before] = panel.values[place - before : end]
        series = channel % panel.series
        row = place - before - start + int(panel.rows.first[series])
        times = panel.table.times(series, row, before + horizon).astype("datetime64[us]")
        center, scale = panel.centers[channel], panel.scales[channel]
        name = " ".join(filter(None, (panel.table.ids[series], panel.columns[channel // panel.series])))
        title = f"{titles[number]}: {name}" if titles else name
        units = [each * scale + center for each in (truth, points[number], quantiles[number])]
        found.append(Scene(title, times, *units))
    return found


def forecasts(drawn: Sequence[Scene], levels: Sequence[float], about: str) -> bytes:
    """Forecasts one below the other, with the band of their widest interval, as a PNG file."""
    # Not through pyplot, which keeps global state and looks for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.4 * len(drawn) + 0.6), dpi=100, layout="constrained")
    for number, scene in enumerate(drawn):
        axes = figure.add_subplot(len(drawn), 1, number + 1)
        ahead = scene.times[-len(scene.points) :]
        axes.plot(scene.times, scene.truth, color="black", linewidth=1.0, label="what came")
        axes.plot(ahead, scene.points, color="C0", linewidth=1.4, label=about)
        axes.fill_between(
            ahead,
            *(scene.quantiles[0], scene.quantiles[-1]),
            color="C0",
            alpha=0.2,
            linewidth=0,
            label=f"{levels[0]:g} to {levels[-1]:g}",
        )
        axes.axvline(ahead[0], color="grey", linewidth=0.8, linestyle=":")
        axes.set_title(verbatim(scene.title), fontsize="medium", loc="left")
        axes.tick_params(axis="x", labelsize="small")
        axes.grid(alpha=0.3)
        if number == 0:
            axes.legend(loc="upper left", fontsize="small", ncols=3)
    return _png(figure, FigureCanvasAgg)


def by_row_ahead(errors: Mapping[str, Array], y_label: str) -> bytes:
    """Errors by row ahead, a line for each method, as a PNG file; NaN where no value is there."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 4.5), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    for name, values in errors.items():
        axes.plot(range(1, len(values) + 1), values, label=name, marker="o" if len(values) < 20 else "")
    best = max(
        (float(np.nanmax(values)) for name, values in errors.items() if name in ("network", "ridge")),
        default=0.0,
    )
    if best > 0:
        axes.set_ylim(0, min(axes.get_ylim()[1], 4 * best))  # what is far off is not what the picture is for
    axes.set(xlabel="rows ahead", ylabel=y_label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    return _png(figure, FigureCanvasAgg)


def filmed(split: Split, method: Method, origins: Origins) -> bytes:
    """What a network in training makes of windows that are always the same."""
    return forecasts(scenes(split.panel, method, origins), method.levels, method.name)


def _png(figure: Any, canvas: Any) -> bytes:
    file = io.BytesIO()
    canvas(figure)
    figure.savefig(file, format="png")
    return file.getvalue()
