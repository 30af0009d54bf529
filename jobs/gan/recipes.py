"""A spec with everything put in that it leaves to its architecture."""

from dataclasses import replace

from jobs.gan.architectures.recipes import RECIPES, USES, Recipe
from jobs.gan.spec import TrainGan


def recipe(spec: TrainGan) -> Recipe:
    """The architecture's recipe, with what the spec says put in."""
    names = ("batch_size", "learning_rate", "beta_1", *(name for name in USES if name != "precision"))
    given = {name: getattr(spec, name) for name in names}
    return replace(
        RECIPES[spec.architecture], **{name: value for name, value in given.items() if value is not None}
    )
