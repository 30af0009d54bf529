"""The losses of the methods; each is a mean over a batch, float32 ()."""

from collections.abc import Callable

import tensorflow as tf

#: From the gradient of a loss to those of its arguments.
Gradients = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def cross_entropy(images: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of pixels, mean over pixels: -x log p - (1 - x) log(1 - p), p = sigmoid(logits).

    Loss and gradient are written from the one exponential that both need, exp(-|logits|), and the sum runs
    over the batch first: so a step of the classic autoencoder takes three fifths of its time
    (docs/decisions.md).

    Args:
        images: x, float32 (batch, ...) in [0, 1].
        logits: of the same shape.
    """
    size = tf.cast(tf.size(logits), tf.float32)
    rows = [tf.shape(logits)[0], -1]

    @tf.custom_gradient
    def fused(images: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, Gradients]:
        small = tf.exp(-tf.abs(logits))
        each = tf.maximum(logits, 0.0) - images * logits + tf.math.log(1.0 + small)
        mean = tf.reduce_sum(tf.reduce_sum(each, axis=0)) / size

        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            probabilities = tf.where(logits >= 0.0, 1.0, small) / (1.0 + small)
            scale = upstream / size
            return -logits * scale, (probabilities - images) * scale

        return mean, gradients

    return fused(tf.reshape(images, rows), tf.reshape(logits, rows))


def divergence(mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """Kullback-Leibler divergence of codes from the standard normal distribution, in nats an image.

    Kingma and Welling 2013 (https://arxiv.org/abs/1312.6114), appendix B:
    `1/2 sum(mean^2 + variance - log variance - 1)`.

    Args:
        mean: float32 (batch, dim).
        log_variance: float32 (batch, dim).
    """
    each = tf.square(mean) + tf.exp(log_variance) - log_variance - 1.0  # (batch, dim)
    return 0.5 * tf.reduce_mean(tf.reduce_sum(each, axis=1))


def masked_error(patches: tf.Tensor, predicted: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
    """Mean squared error on the hidden patches alone.

    He et al. 2021 (https://arxiv.org/abs/2111.06377), section 3, "Reconstruction target".

    Args:
        patches: float32 (batch, patches, pixels).
        predicted: of the same shape.
        hidden: float32 (batch, patches), 1 for a patch that the encoder has not seen, else 0.
    """
    errors = tf.reduce_mean(tf.square(patches - predicted), axis=2)  # (batch, patches)
    return tf.reduce_sum(errors * hidden) / tf.reduce_sum(hidden)


def nt_xent(first: tf.Tensor, second: tf.Tensor, temperature: float) -> tf.Tensor:
    """Normalised temperature-scaled cross-entropy over both views.

    Chen et al. 2020 (https://arxiv.org/abs/2002.05709), equation 1: for each of the 2N views i, with j the
    other view of the same image, `-log(exp(s_ij / t) / sum over k != i of exp(s_ik / t))`, s the cosine.

    Args:
        first: float32 (batch, dim), one view of each image.
        second: float32 (batch, dim), the other.
        temperature: t.
    """
    count = tf.shape(first)[0]
    views = tf.math.l2_normalize(tf.concat([first, second], axis=0), axis=1)  # (2 * batch, dim)
    similarities = tf.matmul(views, views, transpose_b=True) / temperature  # (2 * batch, 2 * batch)
    # A view is no negative of itself.
    similarities = tf.linalg.set_diag(similarities, tf.fill([2 * count], -1e9))
    partners = tf.concat([tf.range(count, 2 * count), tf.range(count)], axis=0)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(partners, similarities))


def vicreg(first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The three terms of VICReg: invariance, variance, covariance; no negatives.

    Bardes et al. 2022 (https://arxiv.org/abs/2105.04906), equations 1 to 5: the mean squared distance of the
    two views; the mean over dimensions of `max(0, 1 - sqrt(variance + 1e-4))`, and the sum of squared
    covariances between dimensions over their number, the last two of both views together.

    Args:
        first: float32 (batch, dim), one view of each image; at least two.
        second: float32 (batch, dim), the other.
    """
    invariance = tf.reduce_mean(tf.square(first - second))
    variances, covariances = zip(_spread(first), _spread(second), strict=True)
    return invariance, sum(variances), sum(covariances)


def _spread(views: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Variance and covariance term of one view."""
    count, dim = tf.cast(tf.shape(views)[0], tf.float32), views.shape[1]
    centred = views - tf.reduce_mean(views, axis=0)
    covariance = tf.matmul(centred, centred, transpose_a=True) / (count - 1.0)  # (dim, dim)
    variance = tf.linalg.diag_part(covariance)
    others = tf.reduce_sum(tf.square(covariance)) - tf.reduce_sum(tf.square(variance))
    return tf.reduce_mean(tf.nn.relu(1.0 - tf.sqrt(variance + 1e-4))), others / dim
