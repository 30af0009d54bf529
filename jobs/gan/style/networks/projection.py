"""What PatchNCE compares: patches' features through a small network of each layer (Park et al. 2020, 3.2)."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from jobs.training.draws import fork, philox_uniform

#: Length of what is compared, at most; it is so many times the channels of the first layer.
LONGEST, TIMES = 256, 8


class Projections(keras.Model):
    """H of the paper: two dense layers for each layer of features, then length 1.

    Args:
        widths: channels of the features of each layer.
        dtype: Keras's policy for what it calculates in.
    """

    def __init__(self, widths: Sequence[int], dtype: str) -> None:
        super().__init__(name="projections")
        self.heads = []
        length = min(LONGEST, TIMES * widths[0])
        for number, width in enumerate(widths):
            features = keras.Input((width,), name=f"features_{number}")
            hidden = keras.layers.Dense(length, "relu", dtype=dtype, name=f"first_{number}")(features)
            hidden = keras.layers.Dense(length, dtype=dtype, name=f"second_{number}")(hidden)
            self.heads.append(keras.Model(features, hidden, name=f"head_{number}"))
        self.built = True

    def project(self, features: Sequence[tf.Tensor], places: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Of each layer, float32 (batch, patches, length) of length 1.

        Args:
            features: (batch, height, width, channels) of each layer.
            places: of the patches, int32 (patches,), rows times columns.
        """
        found = []
        for head, layer, chosen in zip(self.heads, features, places, strict=True):
            batch, height, width, channels = layer.shape
            flat = tf.gather(tf.reshape(layer, (batch, height * width, channels)), chosen, axis=1)
            projected = head(tf.reshape(flat, (-1, channels)))
            projected = tf.math.l2_normalize(tf.cast(projected, tf.float32), axis=1)
            found.append(tf.reshape(projected, (batch, -1, projected.shape[1])))
        return found


def draw_places(features: Sequence[tf.Tensor], most: int, seed: tf.Tensor) -> list[tf.Tensor]:
    """At most so many different places of each layer, the same in all images; int32 (patches,) each."""
    places = []
    for number, layer in enumerate(features):
        count = layer.shape[1] * layer.shape[2]
        draws = philox_uniform((count,), fork(seed, number))
        places.append(tf.math.top_k(draws, min(most, count), sorted=False).indices)
    return places
