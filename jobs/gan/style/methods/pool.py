"""The last generated images, of which the discriminator sees some again (Shrivastava et al. 2017).

*Learning from Simulated and Unsupervised Images through Adversarial Training*,
https://arxiv.org/abs/1612.07828, section 2.3; 50 of them in CycleGAN (Zhu et al. 2017, section 4).
"""

from typing import Any

import keras
import tensorflow as tf

from jobs.training.draws import fork, philox_uniform


class ImagePool(keras.layers.Layer):
    """Keeps images; its content is state, as weights are.

    Args:
        size: images that it holds; 0 = none, and every image goes through.
        shape: (height, width, channels) of each.
        name: of the layer.
    """

    def __init__(self, size: int, shape: tuple[int, int, int], name: str) -> None:
        super().__init__(name=name, trainable=False, dtype="float32")
        self.size = size
        if size:
            self.images = self.add_weight(
                name="images", shape=(size, *shape), initializer="zeros", trainable=False
            )
            self.held = self.add_weight(
                name="held", shape=(), dtype="int32", initializer="zeros", trainable=False
            )
        self.built = True

    def exchanged(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Puts images in, one after the other, and takes as many out, float32 (batch, *shape).

        While there is room, an image is kept and comes out itself. Then, of every two images one comes out
        itself, and one takes the place of a random one that was kept, which comes out.

        Args:
            images: float32 (batch, *shape).
            seed: int64 (2,).
        """
        if not self.size:
            return images
        batch = images.shape[0]
        draws = philox_uniform((2, batch), fork(seed, 0))
        places = tf.minimum(tf.cast(draws[1] * self.size, tf.int32), self.size - 1)

        def put(number: tf.Tensor, content: tf.Tensor, count: tf.Tensor, out: tf.TensorArray) -> Any:
            image, room, exchange = images[number], count < self.size, draws[0, number] < 0.5
            place = tf.where(room, count, places[number])
            there = content[place]
            out = out.write(number, tf.where(room | ~exchange, image, there))
            written = tf.where(room | exchange, image, there)
            content = tf.tensor_scatter_nd_update(content, [[place]], [written])
            return number + 1, content, count + tf.cast(room, tf.int32), out

        first = (0, tf.identity(self.images.value), tf.identity(self.held.value))
        _, content, count, out = tf.while_loop(
            lambda number, *_: number < batch,
            put,
            (*first, tf.TensorArray(tf.float32, batch, element_shape=images.shape[1:])),
        )
        self.images.value.assign(content)
        self.held.value.assign(count)
        return tf.ensure_shape(out.stack(), images.shape)
