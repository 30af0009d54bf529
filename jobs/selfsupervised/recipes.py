"""A spec with everything put in that it leaves to its method."""

from dataclasses import replace

from jobs.selfsupervised.methods.recipes import RECIPES, Recipe
from jobs.selfsupervised.spec import TrainSelfSupervised


def recipe(spec: TrainSelfSupervised) -> Recipe:
    """The method's recipe, with what the spec says put in."""
    given = {name: getattr(spec, name) for name in ("embedding_dim", "batch_size", "learning_rate", "epochs")}
    return replace(
        RECIPES[spec.method], **{name: value for name, value in given.items() if value is not None}
    )
