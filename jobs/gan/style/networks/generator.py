"""From a picture to a picture (Johnson et al. 2016, arXiv:1603.08155; Zhu et al. 2017, appendix 7.2)."""

from dataclasses import dataclass

import keras

from jobs.gan.style.networks.layers import Doubled, InstanceNormalization, ReflectedConv2D

#: How often the sides are halved, and then doubled again.
HALVINGS = 2
#: Sides of pictures are multiples of this, and at least so long.
MULTIPLE, SMALLEST_SIDE = 2**HALVINGS, 8
#: Standard deviation of the first weights of all convolutions, as in the papers' code.
FIRST_WEIGHTS = 0.02


@dataclass(frozen=True)
class Size:
    """How large a generator is.

    Attributes:
        channels: of the layers at full size; twice as many with each halving.
        blocks: residual ones, at the smallest size.
    """

    channels: int
    blocks: int


def build_generator(
    size: Size, channels: int, dtype: str, side: int | None = None, batch: int | None = None
) -> keras.Model:
    """From images (batch, height, width, channels) in [-1, 1] to the same, and to the features on the way.

    It resizes and convolves, as transposed convolutions leave a chessboard. The outputs are the image,
    float32, then what PatchNCE compares: after each convolution that changes the size, after the first block,
    and after the middle one.

    Args:
        size: of its layers.
        channels: of the images.
        dtype: Keras's policy for what it calculates in; weights and images are float32.
        side: of the images, where it is always the same; else any multiple of 4, from 8 on.
        batch: images in a batch, where it is always the same.
    """
    images = keras.Input(batch_shape=(batch, side, side, channels), name="images")
    hidden = _layer(images, size.channels, 7, 1, dtype, "begin")
    features = [hidden]
    for number in range(1, HALVINGS + 1):
        hidden = _layer(hidden, size.channels * 2**number, 3, 2, dtype, f"halve_{number}")
        features.append(hidden)
    for number in range(size.blocks):
        hidden = _block(hidden, dtype, f"block_{number}")
        if number in (0, size.blocks // 2):
            features.append(hidden)
    for number in reversed(range(HALVINGS)):
        hidden = Doubled(dtype=dtype, name=f"double_{number}")(hidden)
        hidden = _layer(hidden, size.channels * 2**number, 3, 1, dtype, f"after_{number}")
    hidden = _convolution(channels, 7, 1, dtype, "draw")(hidden)
    drawn = keras.layers.Activation("tanh", dtype="float32", name="pixels")(hidden)
    return keras.Model(images, [drawn, *features], name="generator")


def _layer(
    hidden: keras.KerasTensor, filters: int, kernel: int, stride: int, dtype: str, name: str
) -> keras.KerasTensor:
    """Convolution, normalisation, rectifier."""
    hidden = _convolution(filters, kernel, stride, dtype, name, bias=False)(hidden)
    hidden = InstanceNormalization(dtype=dtype, name=f"{name}_norm")(hidden)
    return keras.layers.ReLU(dtype=dtype, name=f"{name}_relu")(hidden)


def _block(hidden: keras.KerasTensor, dtype: str, name: str) -> keras.KerasTensor:
    """Two convolutions, beside a way past them."""
    filters, around = hidden.shape[-1], hidden
    hidden = _layer(hidden, filters, 3, 1, dtype, f"{name}_0")
    hidden = _convolution(filters, 3, 1, dtype, f"{name}_1", bias=False)(hidden)
    hidden = InstanceNormalization(dtype=dtype, name=f"{name}_1_norm")(hidden)
    return keras.layers.Add(dtype=dtype, name=f"{name}_sum")([hidden, around])


def _convolution(
    filters: int, kernel: int, stride: int, dtype: str, name: str, *, bias: bool = True
) -> ReflectedConv2D:
    return ReflectedConv2D(
        filters,
        kernel,
        stride,
        use_bias=bias,
        kernel_initializer=keras.initializers.RandomNormal(stddev=FIRST_WEIGHTS),
        dtype=dtype,
        name=name,
    )
