"""Numbers over time, and side by side, as PNG files."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jobs.pictures.lettering import verbatim

Array = np.ndarray[Any, Any]


def curves(series: Mapping[str, Array], x_label: str, y_label: str) -> bytes:
    """Numbers over time as a line chart in a PNG file.

    Args:
        series: for each name its values, one for each step on the x axis, which counts from 1.
        x_label: what the x axis counts.
        y_label: what the values are, with their unit.
    """
    # Not through pyplot, which keeps global state and looks for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 4.5), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    for name, values in series.items():
        axes.plot(
            range(1, len(values) + 1), values, label=verbatim(name), marker="o" if len(values) < 20 else ""
        )
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, format="png")
    return file.getvalue()


def bars(series: Mapping[str, Sequence[float]], y_label: str) -> bytes:
    """For each name the mean of its values as a bar, and each value as a dot, in a PNG file.

    Args:
        series: values by name, shares from 0 to 1.
        y_label: what the values are.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    for place, (name, values) in enumerate(series.items()):
        axes.bar(place, np.mean(values), width=0.6, alpha=0.6, label=verbatim(name))
        axes.plot([place] * len(values), values, "ko")
    everything = np.concatenate([np.asarray(values) for values in series.values()])
    # A few per cent are what counts here: the axis begins near the least value, and says where.
    axes.set_ylim(max(0.0, float(everything.min()) - 0.05), min(1.0, float(everything.max()) + 0.05))
    axes.set_xticks(range(len(series)), list(map(verbatim, series)))
    axes.set_ylabel(y_label)
    axes.grid(axis="y", alpha=0.3)
    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, format="png")
    return file.getvalue()
