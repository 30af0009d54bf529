"""What each architecture of a GAN uses, and what it takes where a spec leaves it open."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from jobs.errors import InvalidSpec

Architecture = Literal["dcgan", "mlp", "wgan-gp", "resnet"]


@dataclass(frozen=True)
class Recipe:
    """Everything that the architecture decides unless the spec does.

    Attributes:
        steps: training steps, each one update of the generator.
        batch_size: real images that the discriminator sees in one of its updates.
        learning_rate: Adam's, of both networks.
        beta_1: Adam's momentum.
        beta_2: Adam's second moment.
        critic_steps: updates of the discriminator in a step.
        penalty: weight of the gradient penalty; 0 = none.
        channels: of the layer nearest to the image; twice as many with each halving of its sides.
        generator_units: widths of the dense generator's hidden layers.
        discriminator_units: of the dense discriminator's.
        activation: after each of them.
        loss: what the two networks play for.
        jit: whether XLA compiles the training: it makes dense layers faster, and convolutions slower.
    """

    steps: int
    batch_size: int
    learning_rate: float
    beta_1: float
    beta_2: float
    loss: Literal["cross_entropy", "wasserstein", "hinge"]
    critic_steps: int = 1
    penalty: float = 0.0
    channels: int = 0
    generator_units: tuple[int, ...] = ()
    discriminator_units: tuple[int, ...] = ()
    activation: str = ""
    jit: bool = False


RECIPES: Mapping[Architecture, Recipe] = {
    # The classic of the tutorials. 40,000 steps draw digits that a person recognises; 25,000 do not.
    "mlp": Recipe(
        steps=40_000,
        batch_size=128,
        learning_rate=2e-4,
        beta_1=0.5,
        beta_2=0.999,
        loss="cross_entropy",
        generator_units=(128,),
        discriminator_units=(128,),
        activation="leaky_relu",
        jit=True,
    ),
    # Radford et al. 2015, section 4, with fewer channels, as the images are smaller than theirs, and longer
    # strides, which the running average allows.
    "dcgan": Recipe(
        steps=6_000,
        batch_size=128,
        learning_rate=5e-4,
        beta_1=0.5,
        beta_2=0.999,
        loss="cross_entropy",
        channels=64,
    ),
    # Gulrajani et al. 2017, algorithm 1.
    "wgan-gp": Recipe(
        steps=3_000,
        batch_size=64,
        learning_rate=1e-4,
        beta_1=0.0,
        beta_2=0.9,
        loss="wasserstein",
        critic_steps=5,
        penalty=10.0,
        channels=64,
    ),
    # Miyato et al. 2018, appendix B.4, and the hinge loss of their equations 16 and 17.
    "resnet": Recipe(
        steps=4_000,
        batch_size=64,
        learning_rate=2e-4,
        beta_1=0.0,
        beta_2=0.9,
        loss="hinge",
        channels=32,
    ),
}

#: Fields of a spec that only some architectures have a use for.
USES: Mapping[str, tuple[Architecture, ...]] = {
    "generator_units": ("mlp",),
    "discriminator_units": ("mlp",),
    "activation": ("mlp",),
    "channels": ("dcgan", "wgan-gp", "resnet"),
    "critic_steps": ("wgan-gp", "resnet"),
    "penalty": ("wgan-gp",),
    "precision": ("dcgan", "wgan-gp", "resnet"),
}


def check(kind: str, fields: Mapping[str, Any]) -> None:
    """Refuses fields that the architecture has no use for, and a rollback with nothing to go back to.

    Args:
        kind: of the spec, for the text.
        fields: of the spec, by name.

    Raises:
        InvalidSpec: there is one.
    """
    architecture, judge_every = fields["architecture"], fields["judge_every"]
    if fields["on_divergence"] == "rollback" and (
        judge_every == 0 or (judge_every is None and architecture == "mlp")
    ):
        raise InvalidSpec(
            f"{kind}: on_divergence='rollback' goes back to the best weights, which only 'judge_every' "
            f"finds, received {judge_every}; give the epochs between measurements"
        )
    for name, architectures in USES.items():
        if fields[name] is not None and architecture not in architectures:
            raise InvalidSpec(
                f"{kind}: field {name!r} belongs to architecture {' or '.join(architectures)}, "
                f"received it with {architecture!r}; leave it out, or choose another 'architecture'"
            )
