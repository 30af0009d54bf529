"""Passages of texts with some words marked, as a PNG file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs.pictures.lettering import drawable

#: Inches of the picture, and of a line in it.
WIDTH, LINE = 10.0, 0.24
MARK, RIGHT, GREY = "#ffe08a", "#c9ecc4", "#666666"


@dataclass(frozen=True)
class Passage:
    """A passage and what is said of it.

    Attributes:
        head: a line above it.
        before: words before those that are marked.
        marked: those.
        after: words after them.
        is_right: whether they are marked as right.
        notes: lines below it.
    """

    head: str
    before: str
    marked: str
    after: str
    is_right: bool = False
    notes: Sequence[str] = ()


def passages(found: Sequence[Passage], title: str = "") -> bytes:
    """All passages one below the other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    page = _Page(Figure(figsize=(WIDTH, 1.0), dpi=100), FigureCanvasAgg)
    if title:
        page.write([(title, None)], size=12)
    for passage in found:
        page.skip()
        page.write([(passage.head, None)], weight="bold")
        colour = RIGHT if passage.is_right else MARK
        page.write([(passage.before, None), (passage.marked, colour), (passage.after, None)])
        for note in passage.notes:
            page.write([(note, None)], colour=GREY, size=8)
    return page.png()


class _Page:
    """Words one after the other, in lines that are broken where they are full."""

    def __init__(self, figure: Any, canvas: Any) -> None:
        self._figure, self._words = figure, []  # type: ignore[var-annotated]
        self._renderer = canvas(figure).get_renderer()
        self._pixels = WIDTH * figure.dpi
        self._line = 0.5

    def skip(self) -> None:
        self._line += 0.6

    def write(
        self,
        parts: Sequence[tuple[str, str | None]],
        size: float = 9,
        weight: str = "normal",
        colour: str = "black",
    ) -> None:
        style = {"size": size, "weight": weight, "color": colour, "va": "baseline"}
        x, space = 10.0, size * 0.45
        for text, background in parts:
            shown, fonts = drawable(text)
            for word in shown.split():
                box = {"facecolor": background, "edgecolor": "none", "pad": 1.5} if background else None
                drawn = self._figure.text(0, 0, word, family=fonts, bbox=box, **style)
                width = drawn.get_window_extent(self._renderer).width
                if x + width > self._pixels - 10 and x > 10:
                    x, self._line = 22.0, self._line + 1
                self._words.append((drawn, x, self._line))
                x += width + space
        self._line += 1

    def png(self) -> bytes:
        height = (self._line + 0.5) * LINE
        self._figure.set_size_inches(WIDTH, height)
        for drawn, x, line in self._words:
            drawn.set_position((x / self._pixels, 1 - (line * LINE) / height))
        file = io.BytesIO()
        self._figure.savefig(file, format="png")
        return file.getvalue()
