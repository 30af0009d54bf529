"""The classic dense networks, with one stack of hidden layers each."""

import math

import keras

from jobs.gan.architectures.recipes import Recipe
from jobs.gan.layers.conditions import asked, judged

Shape = tuple[int, int, int]


def build_generator(recipe: Recipe, latent_dim: int, shape: Shape, classes: int) -> keras.Model:
    """From latents (batch, latent_dim) to images (batch, height, width, channels) in [-1, 1]."""
    latents = keras.Input((latent_dim,), name="latents")
    inputs, hidden = asked(latents, classes)
    for number, units in enumerate(recipe.generator_units):
        hidden = keras.layers.Dense(units, activation=recipe.activation, name=f"hidden_{number}")(hidden)
    pixels = keras.layers.Dense(math.prod(shape), activation="tanh", name="pixels")(hidden)
    images = keras.layers.Reshape(shape, name="images")(pixels)
    return keras.Model(inputs if classes else latents, images, name="generator")


def build_discriminator(recipe: Recipe, shape: Shape, classes: int) -> keras.Model:
    """From images (batch, height, width, channels) in [-1, 1] to logits (batch, 1): large means real."""
    images = keras.Input(shape, name="images")
    hidden = keras.layers.Flatten(name="pixels")(images)
    for number, units in enumerate(recipe.discriminator_units):
        hidden = keras.layers.Dense(units, activation=recipe.activation, name=f"hidden_{number}")(hidden)
    logits = keras.layers.Dense(1, name="logits")(hidden)
    return judged(images, hidden, logits, classes)
