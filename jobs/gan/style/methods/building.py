"""The training of a spec."""

from collections.abc import Mapping

from jobs.gan.style.methods.contrastive import Contrastive
from jobs.gan.style.methods.cycle import CycleGan
from jobs.gan.style.methods.game import Shape, StyleGame
from jobs.gan.style.methods.paired import Paired
from jobs.gan.style.recipes import Method, Recipe
from jobs.gan.style.spec import TrainStyle


def build(spec: TrainStyle, recipe: Recipe, shape: Shape, *, flip: bool, augment: bool) -> StyleGame:
    """Untrained, and the same in every process if the random seed is."""
    kinds: Mapping[Method, type[StyleGame]] = {"cyclegan": CycleGan, "pix2pix": Paired}
    return kinds.get(spec.method, Contrastive)(spec, recipe, shape, flip=flip, augment=augment)
