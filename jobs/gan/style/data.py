"""The two sets of a training: what is learnt from, and squares of them to look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.context import JobContext
from jobs.datasets.images.image_set import Array, ImageSet
from jobs.errors import BadInput
from jobs.gan.style.networks.generator import MULTIPLE, SMALLEST_SIDE
from jobs.gan.style.painting import fitted
from jobs.gan.style.recipes import LARGEST_CROP
from jobs.gan.style.spec import TrainStyle
from jobs.training.rows import Selection

#: Classes mean something in a square of a picture that is at least so much of its sides.
WHOLE = 0.9
#: Squares that a set of them has at most.
MOST_SQUARES = 10_000


@dataclass(frozen=True)
class Sets:
    """Source and target.

    Attributes:
        source: pictures whose content is to stay.
        target: pictures that show the look.
        crop: side of the squares that a step sees.
        channels: of all pictures: 3 if one of the sets has colours.
        remark: what was changed so that they fit together.
    """

    source: ImageSet
    target: ImageSet
    crop: int
    channels: int
    remark: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the squares."""
        return self.crop, self.crop, self.channels

    def rows(self, seed: int) -> Mapping[str, Selection]:
        """Both sets at equal length, in an order of their own each; the smaller one comes again."""
        count = max(len(self.source), len(self.target))
        return {
            name: Selection(images.images, _repeated(len(images), count, [seed, number]))
            for number, (name, images) in enumerate((("source", self.source), ("target", self.target)))
        }


def sets_of(spec: TrainStyle, context: JobContext) -> Sets:
    """The sets that a spec names.

    Raises:
        BadInput: a set has one picture, or pictures that are smaller than a crop, or both hold the same.
    """
    sets = {name: context.image_set(getattr(spec, name)) for name in ("source", "target")}
    source, target = sets.values()
    if source.digest == target.digest:
        raise BadInput(
            f"the data sets {spec.source!r} and {spec.target!r} hold the same pictures: there is no style to "
            "learn"
        )
    for field, images in sets.items():
        if len(images) < 2:
            raise BadInput(
                f"the data set {getattr(spec, field)!r} in {field!r} has one picture; a style is learnt from "
                "at least 2, better from some hundred"
            )
    shortest = min(min(images.shape[:2]) for images in sets.values())
    crop = spec.crop or min(shortest, LARGEST_CROP) // MULTIPLE * MULTIPLE
    if shortest < max(crop, SMALLEST_SIDE):
        raise BadInput(
            f"the pictures of {spec.source!r} are {_size(source)} and those of {spec.target!r} "
            f"{_size(target)}, and what is learnt from are squares of {max(crop, SMALLEST_SIDE)} pixels; "
            "upload them larger" + (", or ask for a smaller 'crop'" if crop > SMALLEST_SIDE else "")
        )
    channels = max(source.shape[2], target.shape[2])
    grey = [name for name, images in sets.items() if images.shape[2] < channels]
    remark = (
        f"the {grey[0]} pictures are grey and were taken as three equal colours, as the others have colours"
        if grey
        else ""
    )
    return Sets(source, target, crop, channels, remark)


def squares(
    images: ImageSet, rows: Array, side: int, channels: int, seed: int, instead: Array | None = None
) -> Array:
    """A square of each picture, always the same one, uint8 (rows, side, side, channels).

    Args:
        images: the pictures.
        rows: numbers of those that are wanted.
        side: of the squares.
        channels: of the squares.
        seed: where they are, by the pictures' numbers.
        instead: other pictures of the same size, (rows, height, width, any channels), to take them from.
    """
    height, width, _ = images.shape
    random = np.random.Generator(np.random.Philox([seed, 7]))
    downs = random.integers(0, height - side + 1, len(images))[rows]
    rights = random.integers(0, width - side + 1, len(images))[rows]
    found = np.empty((len(rows), side, side, channels), np.uint8)
    for number, (row, down, right) in enumerate(zip(rows, downs, rights, strict=True)):
        picture = images.images[row] if instead is None else instead[number]
        square = picture[down : down + side, right : right + side]
        found[number] = fitted(square[np.newaxis], channels)[0]
    return found


def as_squares(images: ImageSet, side: int, channels: int, seed: int) -> ImageSet:
    """A set of such squares, some of many; without classes where they show too little of their pictures."""
    if images.shape == (side, side, channels):
        return images
    random = np.random.Generator(np.random.Philox([seed, 8]))
    rows = np.sort(random.permutation(len(images))[:MOST_SQUARES])
    found = squares(images, rows, side, channels, seed)
    if images.labels is None or not shows_all(images, side):
        return ImageSet(found)
    return ImageSet(found, images.labels[rows], images.class_names)


def shows_all(images: ImageSet, side: int) -> bool:
    """Whether a square shows so much of a picture that it has the picture's class."""
    return side >= WHOLE * max(images.shape[:2])


def _size(images: ImageSet) -> str:
    return f"{images.shape[0]} x {images.shape[1]}"


def _repeated(count: int, wanted: int, seed: list[int]) -> Any:
    """Numbers below `count` in random order, again and again, int64 (wanted,)."""
    random = np.random.Generator(np.random.Philox([*seed, 22]))
    times = -(-wanted // count)
    return np.concatenate([random.permutation(count) for _ in range(times)])[:wanted]
