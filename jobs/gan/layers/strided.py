"""The convolution of DCGANs, with a kernel of 4 x 4 and a stride of 2, and its two gradients, for CPUs.

Each of the three is linear in both of its arguments, and the gradients of each are the other two, so any of
them can be differentiated as often as one likes. oneDNN leaves two of them slow, and these are written as
products of matrices here: the gradient of the kernel in bfloat16, and images of few channels
(docs/decisions.md, "A leaner step of the DCGAN").

Images are (batch, height, width, channels), maps (batch, ceil(height / 2), ceil(width / 2), filters), kernels
(4, 4, channels, filters); all three of one dtype, float32 or bfloat16.
"""

from typing import Any

import tensorflow as tf

SIDE, STRIDE = 4, 2
#: Channels of images up to which a product of matrices is faster.
FEW_CHANNELS = 4

_GEOMETRY: dict[str, Any] = {"strides": [1, STRIDE, STRIDE, 1], "padding": "SAME"}
Sides = tuple[int, int]
Gradient = Any  #: what `tf.custom_gradient` takes: from an upstream gradient to one of each argument


@tf.custom_gradient
def convolved(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """The maps of images."""
    sides = images.shape[1], images.shape[2]

    def gradient(maps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return spread(maps, kernel, sides), kernel_gradient(images, maps)

    return tf.nn.conv2d(images, kernel, STRIDE, "SAME"), gradient


def spread(maps: tf.Tensor, kernel: tf.Tensor, sides: Sides) -> tf.Tensor:
    """The gradient of `convolved` with respect to images of these sides; a transposed convolution."""

    @tf.custom_gradient
    def linear(maps: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        def gradient(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return convolved(images, kernel), kernel_gradient(images, maps)

        if kernel.shape[2] <= FEW_CHANNELS:
            return _spread_by_product(maps, kernel, sides), gradient
        sizes = tf.stack([tf.shape(maps)[0], *sides, kernel.shape[2]])
        images = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=sizes, filter=kernel, out_backprop=maps, **_GEOMETRY
        )
        return images, gradient

    images: tf.Tensor = linear(maps, kernel)
    return tf.ensure_shape(images, (maps.shape[0], *sides, kernel.shape[2]))


@tf.custom_gradient
def kernel_gradient(images: tf.Tensor, maps: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """The gradient of `convolved` with respect to its kernel, for the gradient of its maps."""
    sides, channels = (images.shape[1], images.shape[2]), images.shape[3]

    def gradient(kernel: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return spread(maps, kernel, sides), convolved(images, kernel)

    if images.dtype == tf.bfloat16 and channels > FEW_CHANNELS:
        return _kernel_gradient_by_products(images, maps), gradient
    sizes = [SIDE, SIDE, channels, maps.shape[3]]
    kernel = tf.raw_ops.Conv2DBackpropFilter(input=images, filter_sizes=sizes, out_backprop=maps, **_GEOMETRY)
    return kernel, gradient


def _kernel_gradient_by_products(images: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    """Four products, one for each quarter of the kernel, of squares of 2 x 2 pixels and maps."""
    rows, columns, filters = maps.shape[1:]
    squares = _squares(images)  # (batch, rows + 1, columns + 1, 4 * channels)
    flat = tf.reshape(maps, (-1, filters))
    quarters = [
        tf.matmul(
            tf.reshape(squares[:, down : down + rows, right : right + columns], (-1, squares.shape[3])),
            flat,
            transpose_a=True,
        )
        for down in range(STRIDE)
        for right in range(STRIDE)
    ]
    kernel = tf.reshape(tf.stack(quarters), (2, 2, 2, 2, -1, filters))  # of rows and columns, by quarters
    return tf.reshape(tf.transpose(kernel, (0, 2, 1, 3, 4, 5)), (SIDE, SIDE, -1, filters))


def _squares(images: tf.Tensor) -> tf.Tensor:
    """Squares of 2 x 2 pixels as channels, (batch, rows + 1, columns + 1, 4 * channels); zeros around."""
    sides, channels = images.shape[1:3], images.shape[3]
    rows, columns = (-(-side // STRIDE) + 1 for side in sides)
    around = [(1, STRIDE * count - side - 1) for count, side in zip((rows, columns), sides, strict=True)]
    images = tf.pad(images, [(0, 0), *around, (0, 0)])
    images = tf.reshape(images, (-1, rows, STRIDE, columns, STRIDE, channels))
    return tf.reshape(tf.transpose(images, (0, 1, 3, 2, 4, 5)), (-1, rows, columns, 4 * channels))


def _spread_by_product(maps: tf.Tensor, kernel: tf.Tensor, sides: Sides) -> tf.Tensor:
    """One product gives each place of a map its 4 x 4 pixels, which overlap and are added up."""
    rows, columns, filters = maps.shape[1:]
    channels = kernel.shape[2]
    patches = tf.matmul(
        tf.reshape(maps, (-1, filters)), tf.reshape(kernel, (-1, filters)), transpose_b=True
    )  # (batch * rows * columns, 16 * channels)
    patches = tf.reshape(patches, (-1, rows, columns, 2, 2, 2, 2 * channels))
    patches = tf.transpose(patches, (0, 1, 2, 3, 5, 4, 6))  # quarters of 2 x 2 pixels
    patches = tf.reshape(patches, (-1, rows, columns, 4, 4 * channels))
    squares = tf.add_n(
        [
            tf.pad(patches[:, :, :, 2 * down + right], [(0, 0), (down, 1 - down), (right, 1 - right), (0, 0)])
            for down in range(STRIDE)
            for right in range(STRIDE)
        ]
    )  # (batch, rows + 1, columns + 1, 4 * channels)
    return tf.nn.depth_to_space(squares, STRIDE)[:, 1 : 1 + sides[0], 1 : 1 + sides[1]]
