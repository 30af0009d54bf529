"""What the two networks play for. Logits are float32 (batch, 1) or, of patches, (batch, rows, columns, 1).

A loss is the mean over all of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Objective:
    """The losses of a game.

    Attributes:
        discriminator: of logits of real and of generated images.
        generator: of logits of generated images.
        scores: from logits to what people know as D(x).
    """

    discriminator: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    generator: Callable[[tf.Tensor], tf.Tensor]
    scores: Callable[[tf.Tensor], tf.Tensor]


def cross_entropy(logits: tf.Tensor, real: bool) -> tf.Tensor:
    """Binary cross-entropy: -log D for real, -log(1 - D) else, D = sigmoid(logits)."""
    return tf.reduce_mean(tf.nn.softplus(-logits if real else logits))


OBJECTIVES: Mapping[str, Objective] = {
    # Goodfellow et al. 2014. Not the minimax game's log(1 - D(G(z))), whose gradient vanishes while the
    # discriminator wins, but the non-saturating form of section 3 of the paper.
    "cross_entropy": Objective(
        lambda real, fake: (cross_entropy(real, real=True) + cross_entropy(fake, real=False)) / 2.0,
        lambda fake: cross_entropy(fake, real=True),
        tf.sigmoid,
    ),
    # Arjovsky et al. 2017, equation 2; the penalty of Gulrajani et al. 2017 keeps the critic's slope near 1.
    "wasserstein": Objective(
        lambda real, fake: tf.reduce_mean(fake) - tf.reduce_mean(real),
        lambda fake: -tf.reduce_mean(fake),
        tf.identity,
    ),
    # Mao et al. 2016, https://arxiv.org/abs/1611.04076, equation 9, with the targets 1 and 0.
    "least_squares": Objective(
        lambda real, fake: (tf.reduce_mean(tf.square(real - 1.0)) + tf.reduce_mean(tf.square(fake))) / 2.0,
        lambda fake: tf.reduce_mean(tf.square(fake - 1.0)),
        tf.identity,
    ),
    # Miyato et al. 2018, equations 16 and 17.
    "hinge": Objective(
        lambda real, fake: tf.reduce_mean(tf.nn.relu(1.0 - real)) + tf.reduce_mean(tf.nn.relu(1.0 + fake)),
        lambda fake: -tf.reduce_mean(fake),
        tf.identity,
    ),
}
