"""Pieces that several networks have, as OpenVINO's operations."""

import math
from typing import Any

import numpy as np

from jobs.pretrained.tokens import Array
from jobs.transformer.bulk.operations import Operations, array_of


class Pieces(Operations):
    """Builds pieces of a graph for so many images.

    Args:
        rows: images of a call.
        precision: see `Operations`.
    """

    def __init__(self, rows: int, precision: str) -> None:
        super().__init__(precision)
        self.rows = rows

    def patches(self, encoder: Any, images: Any) -> Any:
        """Each patch times one matrix, (images, patches, width); see `networks.tokens.PatchTokens`."""
        return self.dense(encoder.tokens.project, self.cut(images, encoder.tokens.patch))

    def cut(self, images: Any, side: int) -> Any:
        """Patches (images, patches, side * side * channels); black is added at the edges."""
        ops = self.ops
        _, height, width, channels = images.shape
        rows, columns = math.ceil(height / side), math.ceil(width / side)
        images = self.padded(images, rows * side - height, columns * side - width)
        shape = self.integers([self.rows, rows, side, columns, side, channels])
        parts = ops.transpose(ops.reshape(images, shape, False), self.integers([0, 1, 3, 2, 4, 5]))
        return ops.reshape(parts, self.integers([self.rows, rows * columns, side * side * channels]), False)

    def padded(self, grid: Any, below: int, right: int) -> Any:
        """A grid (images, rows, columns, numbers) with zeros below and to the right."""
        if not below and not right:
            return grid
        none = self.integers([0, 0, 0, 0])
        return self.ops.pad(grid, none, self.integers([0, below, right, 0]), "constant", self.zero)

    def flattened(self, grid: Any, count: int) -> Any:
        """A grid (images, rows, columns, width) as (images, count, width)."""
        return self.ops.reshape(grid, self.integers([-1, count, int(grid.shape[3])]), False)

    def convolution(self, kernel: Array, given: Any, stride: int) -> Any:
        """Of (images, channels, height, width), by a kernel and with a padding as TensorFlow has them."""
        weights = self.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        return self.ops.convolution(given, weights, [stride] * 2, [0, 0], [0, 0], [1, 1], "same_upper")

    def self_attention(self, block: Any, normed: Any, heads: int, size: int, *biases: Any) -> Any:
        """What a block's attention adds to its tokens, (images, tokens, width)."""
        # Three products in place of one: OpenVINO then finds the attention, and computes it in one piece.
        kernels = np.split(array_of(block.compare.kernel), 3, axis=1)
        split = np.split(array_of(block.compare.bias), 3)
        query, key, value = (
            self.heads(self.product(kernel, bias, normed), heads, size)
            for kernel, bias in zip(kernels, split, strict=True)
        )
        return self.dense(block.merge, self.attention(query, key, value, heads, size, *biases))

    def feed_forward(self, block: Any, normed: Any, approximate: bool = False) -> Any:
        """What a block's dense layers add to its tokens, (images, tokens, width)."""
        return self.dense(block.narrow, self.gelu(self.dense(block.widen, normed), approximate))

    @property
    def zero(self) -> Any:
        """A number."""
        return self.constant(np.float32(0))
