"""Pairs of pictures of one size, and the files that they are kept in."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from jobs.datasets import damage
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput

#: The files of a set of pairs; the first one is what a folder is known by.
PAIRS, SOURCE, TARGET = "pairs.json", "source.npy", "target.npy"

_DAMAGE: tuple[type[Exception], ...] = (*damage.OF_ARCHIVES, OSError, TypeError)


@dataclass(frozen=True, eq=False)
class Pairs:
    """What goes in and what is to come out, picture by picture.

    Attributes:
        source: pictures to translate.
        target: their partners, in the same order and of the same height and width.
        names: of the pairs, without a suffix.
        notes: what was left out or changed when they were taken in; no part of the content.

    Raises:
        BadInput: the two sides differ in number or size.
    """

    source: ImageSet
    target: ImageSet
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        counts = (len(self.source), len(self.target), len(self.names))
        if len(set(counts)) > 1:
            raise BadInput(
                f"pairs need as many source as target pictures, and a name each; received {counts}"
            )
        if self.source.shape[:2] != self.target.shape[:2]:
            raise BadInput(
                f"the pictures of a pair are of one size: those of the source are {size_of(self.source)} and "
                f"those of the target {size_of(self.target)} (height x width); give a size to which all are "
                "resized"
            )

    def __len__(self) -> int:
        return len(self.names)

    def write(self, folder: Path) -> None:
        """Writes the files into an empty folder; equal pairs make equal files, byte for byte."""
        np.save(folder / SOURCE, self.source.images)
        np.save(folder / TARGET, self.target.images)
        about = {"names": list(self.names), "notes": list(self.notes)}
        (folder / PAIRS).write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The pairs in a folder; the pictures are read from the disk when they are used.

        Raises:
            BadInput: there are none, or they are damaged.
        """
        try:
            about = json.loads((folder / PAIRS).read_text(encoding="utf-8"))
            source, target = (
                ImageSet(np.asarray(np.load(folder / name, mmap_mode="r", allow_pickle=False)))
                for name in (SOURCE, TARGET)
            )
            return cls(source, target, tuple(map(str, about["names"])), tuple(map(str, about["notes"])))
        except _DAMAGE as error:
            raise BadInput(
                f"{folder.name} holds no pairs that can be read: {error}; upload it again"
            ) from error


def size_of(images: ImageSet) -> str:
    """Height and width in words."""
    return f"{images.shape[0]} x {images.shape[1]}"
