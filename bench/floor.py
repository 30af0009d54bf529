"""The least time that a GAN's step can take here: its arithmetic at the speed of large matrix products.

    python -m bench.floor ARCHITECTURE

prints the multiplications and additions of a step, both counted, in 10^9, and the best speed of products of
2048 x 2048 in the precision that the architecture is calculated in, in 10^9 a second. Counted are the
products of weights: forward, for the gradient of each kernel, and for that of what a layer sees, but of none
whose gradient nobody needs. All else, such as normalisation and Adam, counts as nothing, so nothing reaches
the floor.
"""

import math
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf

from jobs.gan.models import precision_of
from jobs.gan.networks import build_discriminator, build_generator
from jobs.gan.recipes import recipe
from jobs.gan.spec import TrainGan

SIDE = 2048


def forward(network: keras.Model) -> list[float]:
    """Operations of each layer with a kernel, for one image."""
    found = []
    for layer in network.layers:
        if not hasattr(layer, "kernel"):
            continue
        # Of a convolution, each place of the smaller grid meets the whole kernel.
        sides = [shape.shape[1:3] for shape in (layer.input, layer.output) if len(shape.shape) == 4]
        places = min((math.prod(side) for side in sides), default=1)
        found.append(2.0 * places * math.prod(layer.kernel.shape))
    return found


def step_operations(spec: TrainGan, shape: tuple[int, int, int]) -> float:
    """Of one step of `mlp` or `dcgan`, in 10^9."""
    generator, discriminator = (
        forward(build_generator(spec, shape)),
        forward(build_discriminator(spec, shape)),
    )
    drawn = sum(generator) * (2 if spec.architecture == "mlp" else 1)  # `mlp` draws twice
    taught = 2 * (3 * sum(discriminator) - discriminator[0])  # on real and on generated images
    learnt = 2 * sum(discriminator) + 2 * sum(generator) - generator[0]
    return recipe(spec).batch_size * (drawn + taught + learnt) / 1e9


def speed_of_products(precision: str, seconds: float = 3.0) -> float:
    """The best of what products of large matrices come to, in 10^9 operations a second."""
    matrix = tf.cast(tf.random.normal((SIDE, SIDE)), precision)
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix)))
    product()
    best, began = math.inf, time.monotonic()
    while time.monotonic() - began < seconds:
        started = time.monotonic()
        float(product())
        best = min(best, time.monotonic() - started)
    return 2 * SIDE**3 / best / 1e9


def main(architecture: str) -> None:
    spec = TrainGan.model_validate({"architecture": architecture})
    print(step_operations(spec, (28, 28, 1)), speed_of_products(precision_of(spec)))


if __name__ == "__main__":
    main(*sys.argv[1:])
