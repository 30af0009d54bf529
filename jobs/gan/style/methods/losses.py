"""What style transfer minimises besides the game: contents that stay. Each is the mean over the batch."""

from collections.abc import Sequence

import tensorflow as tf


def patch_nce(queries: Sequence[tf.Tensor], keys: Sequence[tf.Tensor], temperature: float) -> tf.Tensor:
    """A patch of the output is to be more like that of the input in the same place than like any other.

    Park et al. 2020, https://arxiv.org/abs/2007.15651, equations 3 and 4: cross-entropy over the patches of
    the same picture, the mean over layers, pictures and patches. The keys are taken as given.

    Args:
        queries: of the output, for each layer float32 (batch, patches, length) of length 1.
        keys: of the input, the same.
        temperature: by which similarities are divided.
    """
    losses = []
    for query, key in zip(queries, keys, strict=True):
        similar = tf.matmul(query, tf.stop_gradient(key), transpose_b=True) / temperature
        same_place = tf.linalg.diag_part(similar)  # (batch, patches)
        losses.append(tf.reduce_mean(tf.reduce_logsumexp(similar, axis=2) - same_place))
    return tf.add_n(losses) / len(losses)


def difference(images: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference of the pixels.

    The cycle loss (Zhu et al. 2017, https://arxiv.org/abs/1703.10593, equation 2) of an image and of what
    came back, its identity loss (section 5.2) of a target image and of what the generator makes of it, and
    the L1 of pix2pix (Isola et al. 2017, https://arxiv.org/abs/1611.07004, equation 3).
    """
    return tf.reduce_mean(tf.abs(images - others))
