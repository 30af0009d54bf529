"""What a classifier confuses, and how far its confidence can be trusted, as pictures."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from jobs.pictures.lettering import lettering, verbatim
from jobs.transformer.judging.scores import BINS

Array = np.ndarray[Any, Any]

#: Classes up to which each cell of the matrix has room for its number.
MOST_NUMBERS = 20


def confusion_matrix(confusion: Array, class_names: Sequence[str], title: str = "") -> bytes:
    """Texts by class and predicted class, coloured by the share of the class, as a PNG file.

    Args:
        confusion: counts, class by row, predicted class by column, (classes, classes).
        class_names: by number.
        title: above it.
    """
    side = min(max(4.0, 2.5 + 0.45 * len(class_names)), 16.0)
    figure, axes = _figure(side + 1.0, side)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(len(class_names))
    names = lettering(class_names)
    axes.set_xticks(places, names.labels, family=names.fonts, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, names.labels, family=names.fonts)
    axes.set_xlabel(f"predicted\n{names.remark}".strip())
    axes.set_ylabel("true class")
    axes.set_title(verbatim(title))
    if len(class_names) <= MOST_NUMBERS:
        for row in places:
            for column in places:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, f"{confusion[row, column]:,}", ha="center", va="center", color=colour)
    figure.colorbar(image, ax=axes, label="share of the class")
    return _png(figure)


def reliability_diagram(shares: Array, confidences: Array, accuracies: Array) -> bytes:
    """Accuracy by confidence, as a PNG file: the bars of a model that knows what it knows end at the line.

    Args:
        shares: of the texts in each bin, (bins,).
        confidences: mean of each bin, (bins,).
        accuracies: of each bin, (bins,).
    """
    figure, axes = _figure(6, 4.5)
    there = shares > 0
    places = confidences[there]  # so that a bar's distance from the line is how far both lie apart
    axes.bar(places, accuracies[there], width=0.6 / BINS, alpha=0.7, label="accuracy")
    axes.bar(places, shares[there], width=0.25 / BINS, color="black", label="share of the texts")
    axes.plot([0, 1], [0, 1], "r--", label="as confident as right")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("probability of the predicted class")
    axes.legend(loc="upper left")
    axes.grid(alpha=0.3)
    return _png(figure)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    # Not through pyplot, which keeps global state and looks for a display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    return figure, figure.add_subplot()


def _png(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, format="png")
    return file.getvalue()
