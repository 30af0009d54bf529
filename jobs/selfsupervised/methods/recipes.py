"""What each method takes where a spec leaves it open."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Method = Literal["autoencoder", "masked", "contrastive", "vicreg"]
#: Methods that compare the images of a step with each other.
COMPARES: tuple[Method, ...] = ("contrastive", "vicreg")


@dataclass(frozen=True)
class Recipe:
    """Everything that the method decides unless the spec does.

    Attributes:
        embedding_dim: numbers in an image's embedding.
        batch_size: images a step.
        learning_rate: Adam's step size, at its highest.
        epochs: passes over the training rows; 0 = as many as make `steps`.
        steps: training steps, if not a number of epochs.
        beta_2: Adam's second moment.
        warms_up: whether the step size rises at first and falls to 0 by the end, or always stays the same.
        look_every: steps between judgements: a look takes as long as some of them.
    """

    embedding_dim: int
    batch_size: int = 256
    learning_rate: float = 1e-3
    epochs: int = 0
    steps: int = 0
    beta_2: float = 0.999
    warms_up: bool = True
    look_every: int = 50


RECIPES: Mapping[Method, Recipe] = {
    # The classic of the tutorials.
    "autoencoder": Recipe(embedding_dim=32, epochs=50, warms_up=False),
    # Many small steps: each draws new masks, and it is updates rather than images that it lacks at first.
    # beta_2 as He et al. 2021, appendix A.1.
    "masked": Recipe(
        embedding_dim=128, batch_size=64, learning_rate=2e-3, steps=3_000, beta_2=0.95, look_every=200
    ),
    "contrastive": Recipe(embedding_dim=128, steps=1_500),
    "vicreg": Recipe(embedding_dim=128, steps=1_500),
}
