"""What an evaluation compares: which pictures are translated, and which show the look."""

from dataclasses import dataclass

import numpy as np

from jobs.context import JobContext
from jobs.datasets.images.image_set import Array, ImageSet
from jobs.datasets.pairs.loading import pairs_of
from jobs.errors import BadInput
from jobs.gan.style.data import held_out
from jobs.gan.style.judging import FEWEST_SOURCE, FEWEST_TARGET
from jobs.gan.style.recipes import recipe_for
from jobs.gan.style.trained import Trained
from jobs.gan.style.uses import EvaluateStyle


@dataclass(frozen=True)
class Compared:
    """The two sides of an evaluation.

    Attributes:
        source: pictures to translate.
        target: pictures that show the look.
        rows: numbers of the source pictures that may be translated, int64.
        paired: whether the target picture of the same number is the true partner.
        remark: what is to be said of that.
    """

    source: ImageSet
    target: ImageSet
    rows: Array
    paired: bool
    remark: str = ""


def compared(spec: EvaluateStyle, model: Trained, context: JobContext) -> Compared:
    """What a spec says, or else what the model was trained on.

    Raises:
        BadInput: there are too few pictures, or too small ones.
    """
    if spec.pairs is not None or (model.spec.pairs and spec.source is None and spec.target is None):
        return _pairs(spec.pairs or str(model.spec.pairs), spec, model, context)
    names = {"source": spec.source or model.spec.source, "target": spec.target or model.spec.target}
    for field, name in names.items():
        if name is None:
            raise BadInput(f"job {model.job_id} has learnt from pairs: give {field!r} as well, or neither")
    source, target = (context.image_set(str(name)) for name in names.values())
    sides = zip(names.values(), (source, target), (FEWEST_SOURCE, FEWEST_TARGET), strict=True)
    for name, images, fewest in sides:
        if len(images) < fewest:
            raise BadInput(
                f"the data set {name!r} has {len(images)} pictures, and measuring needs at least {fewest}"
            )
        _check_size(name, images, model)
    return Compared(source, target, np.arange(len(source)), paired=False)


def _pairs(name: str, spec: EvaluateStyle, model: Trained, context: JobContext) -> Compared:
    pairs = pairs_of(name, context)
    rows, remark = np.arange(len(pairs)), ""
    if name == model.spec.pairs:
        share = recipe_for(model.spec, model.crop).validation
        found = held_out(len(pairs), share, model.spec.seed)
        rows = found if len(found) else rows
        remark = "" if len(found) else "these are the pairs that it was trained on"
    if len(rows) < FEWEST_SOURCE or len(pairs) < FEWEST_TARGET:
        held = " of which were held out of training" if len(rows) < len(pairs) else ""
        raise BadInput(
            f"measuring needs at least {FEWEST_TARGET} pairs, and {FEWEST_SOURCE} to translate; {name!r} has "
            f"{len(pairs)}, {len(rows)}{held or ' to translate'}; give other 'pairs'"
        )
    _check_size(name, pairs.source, model)
    return Compared(pairs.source, pairs.target, rows, True, remark)


def _check_size(name: str | None, images: ImageSet, model: Trained) -> None:
    if min(images.shape[:2]) < model.crop:
        raise BadInput(
            f"the pictures of {name!r} are {images.shape[0]} x {images.shape[1]}, and squares of "
            f"{model.crop} pixels, as job {model.job_id} has learnt from, are compared; give larger ones"
        )
