"""What each method of style transfer uses, and what it takes where a spec leaves it open."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from jobs.errors import InvalidSpec
from jobs.gan.style.networks.size import Network, Size, halvings_of

Method = Literal["cut", "fastcut", "cyclegan", "pix2pix"]
Loss = Literal["least_squares", "hinge"]
#: Methods whose content is kept by PatchNCE.
CONTRASTIVE: tuple[Method, ...] = ("cut", "fastcut")

#: Sides of the crops from which on networks are as large as those of the papers, and their largest default.
LARGE, LARGEST_CROP = 128, 256
#: Up to this side, networks of CUT and FastCUT are smaller, and have time for more steps.
SMALL = 40
#: What PatchNCE counts where classes are kept, too: it need not hold every stroke in its place.
BESIDE_CLASSES = 0.1
#: Sets of fewer pictures are learnt by heart unless the discriminator sees changed ones.
FEW = 500


@dataclass(frozen=True)
class Recipe:
    """Everything that method and size decide unless the spec does.

    Attributes:
        steps: training steps, each one update of every network.
        batch_size: pictures of each set in a step.
        learning_rate: Adam's, of all networks.
        beta_1: Adam's momentum.
        channels: of the layers at full size, of all networks.
        blocks: residual ones of the generator.
        halvings: of the discriminator.
        loss: what the networks play for.
        nce_weight: of PatchNCE beside the game.
        nce_identity: whether it is also taken of target pictures and what the generator makes of them.
        patches: that PatchNCE compares, of each layer.
        temperature: of PatchNCE.
        class_weight: of classes that are to stay, where both sets have the same.
        cycle_weight: of what came back.
        identity_weight: of target pictures that are to stay, as a share of `cycle_weight`.
        image_pool: images that the discriminator may see again.
        network: the generator's kind.
        game_weight: of the game beside L1; 0 = L1 alone.
        l1_weight: of the difference from the partner.
        validation: share of the pairs that is held out, of at most `MOST_HELD_OUT`.
    """

    steps: int
    batch_size: int = 8
    learning_rate: float = 4e-4
    beta_1: float = 0.5
    channels: int = 32
    blocks: int = 4
    halvings: int = 2
    loss: Loss = "least_squares"
    nce_weight: float = 0.0
    nce_identity: bool = False
    patches: int = 64
    temperature: float = 0.07
    class_weight: float = 0.0
    cycle_weight: float = 0.0
    identity_weight: float = 0.0
    image_pool: int = 0
    network: Network = "resnet"
    game_weight: float = 1.0
    l1_weight: float = 0.0
    validation: float = 0.0

    def size(self, crop: int) -> Size:
        """Of the generator, for such crops."""
        return Size(self.channels, self.blocks, self.network, halvings_of(self.network, crop))


RECIPES: Mapping[Method, Recipe] = {
    # Park et al. 2020, section 4.1: lambda 1 with the identity, 10 without.
    "cut": Recipe(steps=4_000, nce_weight=1.0, nce_identity=True, class_weight=0.2),
    "fastcut": Recipe(steps=4_000, nce_weight=10.0, class_weight=0.2),
    # Zhu et al. 2017, section 4: lambda 10, half of it for the identity, a pool of 50.
    "cyclegan": Recipe(steps=4_000, cycle_weight=10.0, identity_weight=0.5, image_pool=50),
    # Isola et al. 2017, section 3.3 and table 1: lambda 100, a U-Net.
    "pix2pix": Recipe(steps=4_000, network="unet", l1_weight=100.0, validation=0.1),
}

#: Fields of a spec that only some methods have a use for.
USES: Mapping[str, tuple[Method, ...]] = {
    "nce_weight": CONTRASTIVE,
    "patches": CONTRASTIVE,
    "class_weight": CONTRASTIVE,
    "cycle_weight": ("cyclegan",),
    "identity_weight": ("cyclegan",),
    "image_pool": ("cyclegan",),
    "pairs": ("pix2pix",),
    "network": ("pix2pix",),
    "game_weight": ("pix2pix",),
    "l1_weight": ("pix2pix",),
    "validation": ("pix2pix",),
}


def recipe_for(spec: Any, crop: int, classes: int = 0) -> Recipe:
    """The method's recipe, with what the spec says put in.

    Args:
        spec: a `TrainStyle`.
        crop: side of what a step sees.
        classes: that both sets have; 0 if there are none to keep.
    """
    recipe = RECIPES[spec.method]
    if crop <= SMALL and spec.method in CONTRASTIVE:
        recipe = replace(recipe, channels=16, steps=8_000)
    if classes and spec.class_weight != 0:
        recipe = replace(recipe, nce_weight=BESIDE_CLASSES * recipe.nce_weight)
    if crop >= LARGE:
        recipe = replace(
            recipe, channels=64, blocks=9, halvings=3, batch_size=1, learning_rate=2e-4, patches=256
        )
    given = {field.name: getattr(spec, field.name, None) for field in fields(Recipe)}
    return replace(recipe, **{name: value for name, value in given.items() if value is not None})


def check(kind: str, given: Mapping[str, Any]) -> None:
    """Refuses fields that the method has no use for, and a rollback with nothing to go back to.

    Args:
        kind: of the spec, for the text.
        given: fields of the spec, by name.

    Raises:
        InvalidSpec: there is one.
    """
    method = given["method"]
    if method == "pix2pix":
        _check_pairs(kind, given)
    elif given["source"] == given["target"]:
        raise InvalidSpec(
            f"{kind}: fields 'source' and 'target' should be different data sets, received "
            f"{given['source']!r} twice: there would be no style to learn"
        )
    if given["on_divergence"] == "rollback" and given["judge_every"] == 0:
        raise InvalidSpec(
            f"{kind}: on_divergence='rollback' goes back to the best weights, which only 'judge_every' "
            "finds, received 0; give the epochs between measurements"
        )
    for name, methods in USES.items():
        if given[name] is not None and method not in methods:
            raise InvalidSpec(
                f"{kind}: field {name!r} belongs to method {' or '.join(methods)}, received it with "
                f"{method!r}; leave it out, or choose another 'method'"
            )


def _check_pairs(kind: str, given: Mapping[str, Any]) -> None:
    if given["pairs"] is None:
        raise InvalidSpec(
            f"{kind}: method pix2pix learns from pairs: give the field 'pairs', such as 'digit-edges', or a "
            "set that was uploaded with --as pairs"
        )
    for name in ("source", "target"):
        if given[name] is not None:
            raise InvalidSpec(
                f"{kind}: method pix2pix learns from 'pairs' and has no use for the field {name!r}, received "
                f"{given[name]!r}; leave it out"
            )
    if given["network"] != "resnet" and given["blocks"] is not None:
        raise InvalidSpec(
            f"{kind}: field 'blocks' is of the residual generator, received {given['blocks']} with that of "
            "pix2pix, a U-Net; leave it out, or give network='resnet'"
        )
