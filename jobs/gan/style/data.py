"""The two sets of a training: what is learnt from, and squares of them to look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from jobs.context import JobContext
from jobs.datasets.images.image_set import Array, ImageSet
from jobs.datasets.pairs.loading import pairs_of
from jobs.errors import BadInput
from jobs.gan.style.networks.size import HALVINGS, SMALLEST_SIDE
from jobs.gan.style.painting import fitted
from jobs.gan.style.recipes import LARGEST_CROP, recipe_for
from jobs.gan.style.spec import TrainStyle
from jobs.training.rows import Selection

#: Classes mean something in a square of a picture that is at least so much of its sides.
WHOLE = 0.9
#: Squares that a set of them has at most, and pairs that are held out of a training.
MOST_SQUARES, MOST_HELD_OUT = 10_000, 500
#: What sides of crops are multiples of.
MULTIPLE = 2**HALVINGS
#: Of no pictures.
NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Sets:
    """Source and target.

    Attributes:
        source: pictures whose content is to stay.
        target: pictures that show the look.
        crop: side of the squares that a step sees.
        channels: of all pictures: 3 if one of the sets has colours.
        remark: what was changed so that they fit together.
        paired: whether the pictures of one number belong together.
        held_out: numbers of the pairs that are not learnt from, sorted.
    """

    source: ImageSet
    target: ImageSet
    crop: int
    channels: int
    remark: str
    paired: bool = False
    held_out: Array = field(default_factory=lambda: NONE)

    @property
    def learnt(self) -> Array:
        """Numbers of the pairs that are learnt from, sorted."""
        return np.setdiff1d(np.arange(len(self.source)), self.held_out)

    @property
    def looked_at(self) -> Array:
        """Numbers of the source pictures that are translated while it trains: those held out, if any are."""
        return self.held_out if len(self.held_out) else np.arange(len(self.source))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the squares."""
        return self.crop, self.crop, self.channels

    @property
    def classes(self) -> int:
        """How many the pictures of both sets are of; 0 if not of the same, or if crops show too little."""
        both = self.source, self.target
        names = self.source.class_names
        usable = all(each.labels is not None and shows_all(each, self.crop) for each in both)
        return len(names) if usable and len(names) > 1 and names == self.target.class_names else 0

    def rows(self, seed: int) -> Mapping[str, Selection]:
        """Both sets at equal length, in an order of their own each; the smaller one comes again.

        Pairs stay together. Where both have the same classes, `source_class` and `target_class` are these.
        """
        if self.paired:
            return {
                name: Selection(images.images, self.learnt)
                for name, images in (("source", self.source), ("target", self.target))
            }
        count = max(len(self.source), len(self.target))
        found = {}
        for number, (name, images) in enumerate((("source", self.source), ("target", self.target))):
            chosen = _repeated(len(images), count, [seed, number])
            found[name] = Selection(images.images, chosen)
            if self.classes:
                found[f"{name}_class"] = Selection(np.asarray(images.labels, np.int32), chosen)
        return found


def sets_of(spec: TrainStyle, context: JobContext) -> Sets:
    """The sets that a spec names.

    Raises:
        BadInput: a set has one picture, or pictures that are smaller than a crop, or both hold the same, or
            the spec has a weight for classes that they do not share.
    """
    if spec.pairs is not None:
        return _pairs(spec, context, spec.pairs)
    names = {"source": str(spec.source), "target": str(spec.target)}
    source, target = (context.image_set(name) for name in names.values())
    _check_different(source, target, f"the data sets {spec.source!r} and {spec.target!r} hold")
    for field_name, images in (("source", source), ("target", target)):
        if len(images) < 2:
            raise BadInput(
                f"the data set {names[field_name]!r} in {field_name!r} has one picture; a style is learnt "
                "from at least 2, better from some hundred"
            )
    said = f"of {spec.source!r} are {_size(source)} and those of {spec.target!r} {_size(target)}"
    sets = Sets(source, target, _crop(spec, source, target, said), *_channels(source, target))
    if spec.class_weight and not sets.classes:
        raise BadInput(
            f"field 'class_weight' is of classes that both sets have, and whose pictures a crop of "
            f"{sets.crop} pixels shows whole, received {spec.class_weight} with {spec.source!r} of "
            f"{_classes(source)} and {spec.target!r} of {_classes(target)}; leave it out"
        )
    return sets


def _pairs(spec: TrainStyle, context: JobContext, name: str) -> Sets:
    pairs = pairs_of(name, context)
    if len(pairs) < 2:
        raise BadInput(f"the pairs {name!r} are one alone; learning takes at least 2, better some hundred")
    _check_different(pairs.source, pairs.target, f"both sides of the pairs {name!r} are")
    crop = _crop(spec, pairs.source, pairs.target, f"of the pairs {name!r} are {_size(pairs.source)}")
    found = Sets(pairs.source, pairs.target, crop, *_channels(pairs.source, pairs.target), paired=True)
    held = held_out(len(pairs), recipe_for(spec, crop).validation, spec.seed)
    if len(held) < (wanted := int(len(pairs) * (spec.validation or 0.0))):
        most = f"{len(held)} pairs are held out, as many as may be, and not {wanted}"
        found = replace(found, remark="; ".join(filter(None, (found.remark, most))))
    return replace(found, held_out=held)


def held_out(count: int, share: float, seed: int) -> Array:
    """Numbers of the pairs that a training does not learn from, sorted, int64; at least 2 stay."""
    random = np.random.Generator(np.random.Philox([seed, 11]))
    most = max(0, min(int(count * share), MOST_HELD_OUT, count - 2))
    return np.sort(random.permutation(count)[:most])


def _check_different(source: ImageSet, target: ImageSet, said: str) -> None:
    if source.images.shape == target.images.shape and np.array_equal(source.images, target.images):
        raise BadInput(f"{said} the same pictures: there is no style to learn")


def _crop(spec: TrainStyle, source: ImageSet, target: ImageSet, said: str) -> int:
    shortest = min(*source.shape[:2], *target.shape[:2])
    crop = spec.crop or min(shortest, LARGEST_CROP) // MULTIPLE * MULTIPLE
    if shortest < max(crop, SMALLEST_SIDE):
        raise BadInput(
            f"the pictures {said}, and what is learnt from are squares of {max(crop, SMALLEST_SIDE)} pixels; "
            "upload them larger" + (", or ask for a smaller 'crop'" if crop > SMALLEST_SIDE else "")
        )
    return crop


def _channels(source: ImageSet, target: ImageSet) -> tuple[int, str]:
    """Of both, and what is to be said of it."""
    if source.shape[2] == target.shape[2]:
        return source.shape[2], ""
    grey = "source" if source.shape[2] < target.shape[2] else "target"
    return 3, (
        f"the {grey} pictures are grey and were taken as three equal colours, as the others have colours"
    )


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


def _classes(images: ImageSet) -> str:
    names = images.class_names if images.labels is not None else ()
    return f"{len(names)} classes, {_size(images)}" if names else "no classes"


def _repeated(count: int, wanted: int, seed: list[int]) -> Any:
    """Numbers below `count` in random order, again and again, int64 (wanted,)."""
    random = np.random.Generator(np.random.Philox([*seed, 22]))
    times = -(-wanted // count)
    return np.concatenate([random.permutation(count) for _ in range(times)])[:wanted]
