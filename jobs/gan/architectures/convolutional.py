"""Convolutional networks (Radford et al. 2015, https://arxiv.org/abs/1511.06434, section 3).

Each layer of the generator doubles the sides of the image and halves the channels; the discriminator goes the
other way. Sides that no such doubling reaches are cut from the next larger ones.
"""

import math
from typing import Any

import keras

from jobs.gan.architectures.recipes import Recipe
from jobs.gan.layers.conditions import asked, judged

Shape = tuple[int, int, int]
KERNEL = 4
#: Slope of the discriminator's rectifiers where they are negative.
LEAK = 0.2
#: Layers, at least, and the largest sides of the generator's first grid.
FEWEST, LARGEST_GRID = 2, 8


def halvings(shape: Shape) -> int:
    """How often the sides of an image are halved: 2 times for 28 pixels, 3 for 64, 4 for 96."""
    return max(FEWEST, math.ceil(math.log2(max(shape[:2]) / LARGEST_GRID)))


def build_generator(
    recipe: Recipe, latent_dim: int, shape: Shape, classes: int, dtype: str, kit: Any
) -> keras.Model:
    """From latents (batch, latent_dim) to images (batch, height, width, channels) in [-1, 1].

    Args:
        recipe: the channels of its layers.
        latent_dim: length of its input.
        shape: of the images.
        classes: of a conditional one, else 0.
        dtype: Keras's policy for what it calculates in; weights and images are float32.
        kit: where convolutions and batch normalisation come from: `keras.layers`, or `jobs.gan.layers.lean`.
    """
    layers = keras.layers
    latents = keras.Input((latent_dim,), name="latents")
    inputs, hidden = asked(latents, classes)
    count = halvings(shape)
    rows, columns = (math.ceil(side / 2**count) for side in shape[:2])
    width = recipe.channels * 2 ** (count - 1)
    hidden = layers.Dense(rows * columns * width, use_bias=False, dtype=dtype, name="project")(hidden)
    hidden = layers.Reshape((rows, columns, width), name="grid")(hidden)
    for number in range(count - 1):
        hidden = normalised(hidden, dtype, f"norm_{number}", kit)
        width //= 2
        hidden = kit.Conv2DTranspose(
            width, KERNEL, strides=2, padding="same", use_bias=False, dtype=dtype, name=f"double_{number}"
        )(hidden)
    hidden = normalised(hidden, dtype, f"norm_{count - 1}", kit)
    hidden = kit.Conv2DTranspose(shape[2], KERNEL, strides=2, padding="same", dtype=dtype, name="draw")(
        hidden
    )
    images = layers.Activation("tanh", dtype="float32", name="pixels")(cropped(hidden, shape))
    return keras.Model(inputs if classes else latents, images, name="generator")


def build_discriminator(
    recipe: Recipe, shape: Shape, classes: int, dtype: str, normalisation: str, kit: Any
) -> keras.Model:
    """From images (batch, height, width, channels) in [-1, 1] to logits (batch, 1): large means real.

    Args:
        recipe: the channels of its layers.
        shape: of the images.
        classes: of a conditional one, else 0.
        dtype: Keras's policy for what it calculates in; weights and logits are float32.
        normalisation: `batch`; or `layer`, which a gradient penalty needs, as it is of each image by itself.
        kit: see `build_generator`.
    """
    layers = keras.layers
    images = keras.Input(shape, name="images")
    hidden = images
    for number in range(halvings(shape)):
        first = number == 0
        hidden = kit.Conv2D(
            recipe.channels * 2**number,
            KERNEL,
            strides=2,
            padding="same",
            use_bias=first,
            dtype=dtype,
            name=f"halve_{number}",
        )(hidden)
        if not first and normalisation == "batch":
            hidden = kit.BatchNormalization(dtype=dtype, name=f"norm_{number}")(hidden)
        elif not first:
            hidden = layers.LayerNormalization(axis=(1, 2, 3), dtype=dtype, name=f"norm_{number}")(hidden)
        hidden = layers.LeakyReLU(LEAK, dtype=dtype, name=f"leak_{number}")(hidden)
    features = layers.Flatten(dtype="float32", name="features")(hidden)
    logits = layers.Dense(1, dtype="float32", name="logits")(features)
    return judged(images, features, logits, classes)


def normalised(hidden: keras.KerasTensor, dtype: str, name: str, kit: Any) -> keras.KerasTensor:
    """Batch normalisation and a rectifier."""
    hidden = kit.BatchNormalization(dtype=dtype, name=name)(hidden)
    return keras.layers.ReLU(dtype=dtype, name=f"{name}_relu")(hidden)


def cropped(hidden: keras.KerasTensor, shape: Shape) -> keras.KerasTensor:
    """The middle of images that are larger than `shape`."""
    over = [found - side for found, side in zip(hidden.shape[1:3], shape[:2], strict=True)]
    cut = tuple((each // 2, each - each // 2) for each in over)
    return keras.layers.Cropping2D(cut, name="crop")(hidden) if any(over) else hidden
