"""What a network is, in words that a file can keep: all that is needed to build it again."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Architecture = Literal["cct", "vit", "swin", "masked", "convolutional"]

#: Sides of the grid of tokens that a network has by default, at the most.
GRID = 8
#: The largest patch that is chosen by itself: larger ones show less and less.
LARGEST_PATCH = 16


@dataclass(frozen=True)
class Plan:
    """A network, without its weights.

    Attributes:
        architecture: cct, vit, swin, or the encoder of a self-supervised job: masked, convolutional.
        shape: of the images, (height, width, channels).
        class_names: by number.
        width: numbers in a token; of a convolutional encoder, in an embedding.
        depth: blocks.
        heads: of the attention.
        inner: numbers between the two dense layers of a block; of swin in the last stage.
        patch: side of a patch, of vit and masked.
        filters: channels of the convolutions, of cct and convolutional.
        mean: of the pixels in [0, 1], taken off, by channel or one for all.
        deviation: what they are divided by then, likewise.
        special: of vit, tokens before those of the patches.
        reads: of these, how many the head looks at.
        epsilon: of the normalisations.
        depths: of swin, blocks of each stage; the width is that of the last.
        stage_heads: of swin, heads of each stage.
        window: of swin, side of a window in tokens.
    """

    architecture: Architecture
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    width: int
    depth: int = 0
    heads: int = 1
    inner: int = 0
    patch: int = 0
    filters: tuple[int, ...] = ()
    mean: tuple[float, ...] = (0.5,)
    deviation: tuple[float, ...] = (0.5,)
    special: int = 1
    reads: int = 1
    epsilon: float = 1e-6
    depths: tuple[int, ...] = ()
    stage_heads: tuple[int, ...] = ()
    window: int = 0

    def to_json(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """What `to_json` has written.

        Raises:
            TypeError: it is of another version.
        """
        lists = ("shape", "class_names", "filters", "mean", "deviation", "depths", "stage_heads")
        fields: dict[str, Any] = {name: tuple(data[name]) for name in lists}
        return cls(**{**data, **fields})


def default_patch(shape: tuple[int, int, int]) -> int:
    """The side of a patch: an eighth of the image's, but no more than `LARGEST_PATCH`."""
    return max(1, min(math.ceil(max(shape[:2]) / GRID), LARGEST_PATCH))


def default_convolutions(shape: tuple[int, int, int]) -> int:
    """How many convolutions halve an image until it is a grid of `GRID` x `GRID` or smaller; at least one."""
    return max(1, math.ceil(math.log2(max(shape[:2]) / GRID)))
