"""What generators are made of."""

import keras

from jobs.gan.style.networks.layers import InstanceNormalization, ReflectedConv2D

#: Standard deviation of the first weights of all convolutions, as in the papers' code.
FIRST_WEIGHTS = 0.02


def layer(
    hidden: keras.KerasTensor, filters: int, kernel: int, stride: int, dtype: str, name: str
) -> keras.KerasTensor:
    """Convolution, normalisation, rectifier."""
    hidden = convolution(filters, kernel, stride, dtype, name, bias=False)(hidden)
    hidden = InstanceNormalization(dtype=dtype, name=f"{name}_norm")(hidden)
    return keras.layers.ReLU(dtype=dtype, name=f"{name}_relu")(hidden)


def convolution(
    filters: int, kernel: int, stride: int, dtype: str, name: str, *, bias: bool = True
) -> ReflectedConv2D:
    """One whose first weights are those of the papers."""
    return ReflectedConv2D(
        filters,
        kernel,
        stride,
        use_bias=bias,
        kernel_initializer=keras.initializers.RandomNormal(stddev=FIRST_WEIGHTS),
        dtype=dtype,
        name=name,
    )
