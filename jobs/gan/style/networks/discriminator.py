"""PatchGAN: for each patch of a picture, whether it is real (Isola et al. 2017, arXiv:1611.07004, 3.2.2)."""

from typing import Any

import keras

import jobs.gan.layers.lean
from jobs.gan.style.networks.blocks import FIRST_WEIGHTS
from jobs.gan.style.networks.layers import InstanceNormalization
from jobs.training import machine

KERNEL, LEAK = 4, 0.2
#: Channels stop doubling at so many times the first.
WIDEST = 8


def build_discriminator(
    channels: int, halvings: int, shape: tuple[int, int, int], dtype: str, *, lean: bool = True
) -> keras.Model:
    """From images (batch, height, width, channels) in [-1, 1] to logits (batch, rows, columns, 1), float32.

    Args:
        channels: of the first layer; twice as many with each halving.
        halvings: with 2 a logit sees 34 x 34 pixels, with 3 it sees 70 x 70.
        shape: of the images.
        dtype: Keras's policy for what it calculates in; weights and logits are float32.
        lean: whether its convolutions are those that are faster on a CPU.
    """
    kit: Any = jobs.gan.layers.lean if lean and not machine.has_gpu() else keras.layers
    images = keras.Input(shape, name="images")
    hidden = images
    for number in range(halvings + 1):
        width = channels * min(2**number, WIDEST)
        last = number == halvings
        layers = keras.layers if last else kit
        hidden = layers.Conv2D(
            width,
            KERNEL,
            strides=1 if last else 2,
            padding="same",
            use_bias=number == 0,
            kernel_initializer=keras.initializers.RandomNormal(stddev=FIRST_WEIGHTS),
            dtype=dtype,
            name=f"look_{number}",
        )(hidden)
        if number:
            hidden = InstanceNormalization(dtype=dtype, name=f"norm_{number}")(hidden)
        hidden = keras.layers.Activation(_leaky, dtype=dtype, name=f"leak_{number}")(hidden)
    logits = keras.layers.Conv2D(
        1,
        KERNEL,
        padding="same",
        kernel_initializer=keras.initializers.RandomNormal(stddev=FIRST_WEIGHTS),
        dtype=dtype,
        name="judge",
    )(hidden)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(logits)
    return keras.Model(images, logits, name="discriminator")


def build_reader(discriminator: keras.Model, classes: int, dtype: str) -> keras.Model:
    """The same network with a second output: logits (batch, classes), float32 (Choi et al. 2018, figure 3).

    Args:
        discriminator: whose layers, all but the last, also find the class.
        classes: how many there are.
        dtype: Keras's policy for what it calculates in.
    """
    hidden = keras.layers.Flatten(dtype=dtype, name="flat")(discriminator.get_layer("judge").input)
    answers = keras.layers.Dense(classes, dtype=dtype, name="read")(hidden)
    answers = keras.layers.Activation("linear", dtype="float32", name="answers")(answers)
    return keras.Model(discriminator.inputs, [*discriminator.outputs, answers], name="reader")


def _leaky(values: Any) -> Any:
    # TensorFlow's operation of that name makes its rewriter of graphs fail, with a line in every log.
    return keras.ops.maximum(values, LEAK * values)
