"""From a picture to a picture (Johnson et al. 2016, arXiv:1603.08155; Zhu et al. 2017, appendix 7.2)."""

import keras

from jobs.gan.style.networks.blocks import convolution, layer
from jobs.gan.style.networks.layers import Doubled, InstanceNormalization
from jobs.gan.style.networks.size import Size
from jobs.gan.style.networks.unet import build_unet


def build_generator(
    size: Size, channels: int, dtype: str, side: int | None = None, batch: int | None = None
) -> keras.Model:
    """From images (batch, height, width, channels) in [-1, 1] to the same, and to the features on the way.

    A U-Net is `build_unet`'s, and has no features. The residual one resizes and convolves, as transposed
    convolutions leave a chessboard. The outputs are the image, float32, then what PatchNCE compares: after
    each convolution that changes the size, after the first block, and after the middle one.

    Args:
        size: of its layers.
        channels: of the images.
        dtype: Keras's policy for what it calculates in; weights and images are float32.
        side: of the images, where it is always the same; else any multiple of `size.multiple`.
        batch: images in a batch, where it is always the same.
    """
    if size.network == "unet":
        return build_unet(size, channels, dtype, side, batch)
    images = keras.Input(batch_shape=(batch, side, side, channels), name="images")
    hidden = layer(images, size.channels, 7, 1, dtype, "begin")
    features = [hidden]
    for number in range(1, size.halvings + 1):
        hidden = layer(hidden, size.channels * 2**number, 3, 2, dtype, f"halve_{number}")
        features.append(hidden)
    for number in range(size.blocks):
        hidden = _block(hidden, dtype, f"block_{number}")
        if number in (0, size.blocks // 2):
            features.append(hidden)
    for number in reversed(range(size.halvings)):
        hidden = Doubled(dtype=dtype, name=f"double_{number}")(hidden)
        hidden = layer(hidden, size.channels * 2**number, 3, 1, dtype, f"after_{number}")
    hidden = convolution(channels, 7, 1, dtype, "draw")(hidden)
    drawn = keras.layers.Activation("tanh", dtype="float32", name="pixels")(hidden)
    return keras.Model(images, [drawn, *features], name="generator")


def _block(hidden: keras.KerasTensor, dtype: str, name: str) -> keras.KerasTensor:
    """Two convolutions, beside a way past them."""
    filters, around = hidden.shape[-1], hidden
    hidden = layer(hidden, filters, 3, 1, dtype, f"{name}_0")
    hidden = convolution(filters, 3, 1, dtype, f"{name}_1", bias=False)(hidden)
    hidden = InstanceNormalization(dtype=dtype, name=f"{name}_1_norm")(hidden)
    return keras.layers.Add(dtype=dtype, name=f"{name}_sum")([hidden, around])
