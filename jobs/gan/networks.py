"""The networks of a spec: which architecture has which."""

from typing import Any

import keras

import jobs.gan.layers.lean
from jobs.gan.architectures import convolutional, dense, residual
from jobs.gan.recipes import recipe
from jobs.gan.spec import TrainGan
from jobs.training import machine

Shape = tuple[int, int, int]


def build_generator(
    spec: TrainGan, shape: Shape, classes: int = 0, precision: str = "float32", *, lean: bool = False
) -> keras.Model:
    """From latents (batch, latent_dim) to images (batch, height, width, channels) in [-1, 1].

    A conditional one takes latents and labels, int32 (batch,). Weights are float32 whatever the precision. A
    lean one (`jobs.gan.layers.lean`) trains faster on a CPU, and is not to be saved as a model.
    """
    chosen = recipe(spec)
    if spec.architecture == "mlp":
        return dense.build_generator(chosen, spec.latent_dim, shape, classes)
    module = residual if spec.architecture == "resnet" else convolutional
    return module.build_generator(chosen, spec.latent_dim, shape, classes, policy(precision), kit(lean))


def build_discriminator(
    spec: TrainGan, shape: Shape, classes: int = 0, precision: str = "float32", *, lean: bool = False
) -> keras.Model:
    """From images (batch, height, width, channels) in [-1, 1] to logits (batch, 1): large means real.

    A conditional one takes images and labels, int32 (batch,). Weights are float32 whatever the precision;
    `lean` as above.
    """
    chosen = recipe(spec)
    if spec.architecture == "mlp":
        return dense.build_discriminator(chosen, shape, classes)
    if spec.architecture == "resnet":
        return residual.build_discriminator(chosen, shape, classes, policy(precision))
    normalisation = "layer" if spec.architecture == "wgan-gp" else "batch"
    return convolutional.build_discriminator(
        chosen, shape, classes, policy(precision), normalisation, kit(lean)
    )


def kit(lean: bool) -> Any:
    """Where convolutional networks take their layers from; a GPU's library has no need of the lean ones."""
    return jobs.gan.layers.lean if lean and not machine.has_gpu() else keras.layers


def policy(precision: str) -> str:
    """Keras's name for a precision with float32 weights."""
    return precision if precision == "float32" else f"mixed_{precision}"
