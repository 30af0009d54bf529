"""The training of a spec."""

from jobs.gan.style.methods.contrastive import Contrastive
from jobs.gan.style.methods.cycle import CycleGan
from jobs.gan.style.methods.game import Shape, StyleGame
from jobs.gan.style.methods.paired import Paired
from jobs.gan.style.recipes import Recipe
from jobs.gan.style.spec import TrainStyle


def build(spec: TrainStyle, recipe: Recipe, shape: Shape, *, flip: bool, augment: bool) -> StyleGame:
    """Untrained, and the same in every process if the random seed is."""
    kind: type[Contrastive | CycleGan | Paired] = Contrastive
    if spec.method in ("cyclegan", "pix2pix"):
        kind = CycleGan if spec.method == "cyclegan" else Paired
    return kind(spec, recipe, shape, flip=flip, augment=augment)
