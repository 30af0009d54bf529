"""The training of a spec."""

from jobs.gan.style.methods.contrastive import Contrastive
from jobs.gan.style.methods.cycle import CycleGan
from jobs.gan.style.methods.game import Shape, StyleGame
from jobs.gan.style.methods.paired import Paired
from jobs.gan.style.recipes import CONTRASTIVE, Recipe
from jobs.gan.style.spec import TrainStyle


def build(
    spec: TrainStyle, recipe: Recipe, shape: Shape, *, flip: bool, augment: bool, classes: int = 0
) -> StyleGame:
    """Untrained, and the same in every process if the random seed is; with `classes` that are to stay."""
    if spec.method in CONTRASTIVE:
        return Contrastive(spec, recipe, shape, flip=flip, augment=augment, classes=classes)
    kind: type[CycleGan | Paired] = CycleGan if spec.method == "cyclegan" else Paired
    return kind(spec, recipe, shape, flip=flip, augment=augment)
