"""The worst mistakes of a classifier as a grid of images with both labels."""

import io
from collections.abc import Sequence

import numpy as np

from jobs.pictures.lettering import lettering
from jobs.transformer.judging.scores import probabilities_of
from jobs.transformer.vision.asking import Array
from jobs.transformer.vision.uses import Mistake

#: Mistakes that are shown, and columns of the grid.
SHOWN, COLUMNS = 24, 6


def worst(logits: Array, labels: Array, rows: Array, class_names: Sequence[str]) -> list[Mistake]:
    """Images that are taken for something else, those with the largest loss first.

    Args:
        logits: float32 (images, classes).
        labels: int (images,).
        rows: their numbers in the data set, (images,).
        class_names: by number.
    """
    probabilities = probabilities_of(logits)
    predicted = logits.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    order = wrong[np.argsort(probabilities[wrong, labels[wrong]], kind="stable")][:SHOWN]
    return [
        Mistake(
            row=int(rows[each]),
            label=class_names[labels[each]],
            predicted=class_names[predicted[each]],
            probability=float(probabilities[each, predicted[each]]),
        )
        for each in order
    ]


def mistakes_picture(mistakes: Sequence[Mistake], images: Array, class_names: Sequence[str]) -> bytes:
    """The images over their class and what they were taken for, as a PNG file.

    Args:
        mistakes: one at least.
        images: of all rows, uint8 (count, height, width, channels).
        class_names: by number.
    """
    # Not through pyplot, which keeps global state and looks for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = -(-len(mistakes) // COLUMNS)
    figure = Figure(figsize=(1.6 * COLUMNS, 1.9 * lines), dpi=100, layout="constrained")
    shown = lettering(class_names, longest=12)
    names = dict(zip(class_names, shown.labels, strict=True))
    for number, each in enumerate(mistakes):
        axes = figure.add_subplot(lines, COLUMNS, number + 1)
        image = images[each.row]
        grey = image.shape[2] == 1
        axes.imshow(image[..., 0] if grey else image, cmap="gray" if grey else None, vmin=0, vmax=255)
        axes.set_axis_off()
        text = f"is {names[each.label]}\nnot {names[each.predicted]}, {each.probability:.0%}"
        axes.set_title(text, fontsize=8, family=shown.fonts)
    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, format="png")
    return file.getvalue()
