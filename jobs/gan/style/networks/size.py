"""How large a generator is. Imports neither TensorFlow nor Keras."""

from dataclasses import dataclass
from typing import Literal

Network = Literal["resnet", "unet"]

#: How often a residual generator halves the sides, and then doubles them again.
HALVINGS = 2
#: A U-Net halves them at most so often, and to so many pixels at least.
MOST_HALVINGS, NARROWEST = 6, 4
#: Sides of pictures are at least so long.
SMALLEST_SIDE = 8


@dataclass(frozen=True)
class Size:
    """How large a generator is.

    Attributes:
        channels: of the layers at full size; twice as many with each halving.
        blocks: residual ones, at the smallest size; a U-Net has none.
        network: which of the two it is.
        halvings: of the sides.
    """

    channels: int
    blocks: int
    network: Network = "resnet"
    halvings: int = HALVINGS

    @property
    def multiple(self) -> int:
        """What sides of pictures are multiples of."""
        return int(2**self.halvings)

    @property
    def smallest_side(self) -> int:
        """Of pictures; what is smallest inside is then 2 x 2, which can be mirrored."""
        return max(SMALLEST_SIDE, 2 * self.multiple)


def halvings_of(network: Network, crop: int) -> int:
    """How often squares of this side are halved: in a U-Net as long as the sides stay whole."""
    if network == "resnet":
        return HALVINGS
    count = 0
    while count < MOST_HALVINGS and crop % 2 ** (count + 1) == 0 and crop >> (count + 1) >= NARROWEST:
        count += 1
    return count
