"""From a picture to a picture that has its lines in the same places: a U-Net (Isola et al. 2017, 3.2.1)."""

import keras

from jobs.gan.style.networks.blocks import convolution, layer
from jobs.gan.style.networks.layers import Doubled
from jobs.gan.style.networks.size import Size

#: Channels stop doubling at so many times the first.
WIDEST = 8


def build_unet(
    size: Size, channels: int, dtype: str, side: int | None = None, batch: int | None = None
) -> keras.Model:
    """From images (batch, height, width, channels) in [-1, 1] to the same, float32, and to the smallest maps.

    What is found at each size on the way down is put beside what comes up, so that fine lines need not pass
    the narrow middle. As in the other generator, sides are doubled by repeating pixels; there is no dropout,
    so that a picture has one translation.

    Args:
        size: of its layers.
        channels: of the images.
        dtype: Keras's policy for what it calculates in; weights and images are float32.
        side: of the images, where it is always the same; else any multiple of `size.multiple`.
        batch: images in a batch, where it is always the same.
    """
    images = keras.Input(batch_shape=(batch, side, side, channels), name="images")
    widths = [size.channels * min(2**number, WIDEST) for number in range(size.halvings + 1)]
    hidden = layer(images, widths[0], 3, 1, dtype, "begin")
    beside = []
    for number in range(1, size.halvings + 1):
        beside.append(hidden)
        hidden = layer(hidden, widths[number], 3, 2, dtype, f"halve_{number}")
    middle = hidden
    for number in reversed(range(size.halvings)):
        hidden = Doubled(dtype=dtype, name=f"double_{number}")(hidden)
        hidden = keras.layers.Concatenate(dtype=dtype, name=f"beside_{number}")([hidden, beside[number]])
        hidden = layer(hidden, widths[number], 3, 1, dtype, f"after_{number}")
    hidden = convolution(channels, 3, 1, dtype, "draw")(hidden)
    drawn = keras.layers.Activation("tanh", dtype="float32", name="pixels")(hidden)
    return keras.Model(images, [drawn, middle], name="generator")
