"""The Swin Transformer as OpenVINO's operations; see `networks.swin`."""

import math
from typing import Any

import numpy as np

from jobs.transformer.bulk.operations import array_of
from jobs.transformer.vision.engines.pieces import Pieces
from jobs.transformer.vision.networks.swin import apart, shift_of


def features(pieces: Pieces, encoder: Any, images: Any) -> Any:
    """The mean of the last tokens, (images, width)."""
    tokens = pieces.norm(encoder.first_norm, pieces.patches(encoder, images))
    grid = _shaped(pieces, tokens, encoder.rows, encoder.columns, int(tokens.shape[2]))
    for number, stage in enumerate(encoder.stages):
        for place, block in enumerate(stage.blocks):
            grid = _block(pieces, block, grid, place % 2 == 1)
        if number < len(encoder.merges):
            grid = _merged(pieces, encoder.merges[number], grid)
    return pieces.ops.reduce_mean(pieces.norm(encoder.last, grid), pieces.integers([1, 2]), False)


def _block(pieces: Pieces, block: Any, grid: Any, shifted: bool) -> Any:
    ops = pieces.ops
    grid = ops.add(grid, _attended(pieces, block, pieces.norm(block.attention_norm, grid), shifted))
    return ops.add(grid, pieces.feed_forward(block, pieces.norm(block.dense_norm, grid)))


def _attended(pieces: Pieces, block: Any, grid: Any, shifted: bool) -> Any:
    ops, side = pieces.ops, block.window
    _, height, width, _ = grid.shape
    shift = shift_of(side, height, width) if shifted else 0
    tall, wide = (math.ceil(each / side) * side for each in (height, width))
    grid = pieces.padded(grid, tall - height, wide - width)
    rows, columns, places = tall // side, wide // side, side * side
    if shift:
        grid = _rolled(pieces, grid, -shift)
    shape = pieces.integers([pieces.rows, rows, side, columns, side, block.width])
    order = pieces.integers([0, 1, 3, 2, 4, 5])
    cut = ops.transpose(ops.reshape(grid, shape, False), order)
    tokens = ops.reshape(cut, pieces.integers([-1, places, block.width]), False)
    size = block.width // block.heads
    near = array_of(block.nearness)[block.between].reshape(places, places, block.heads).transpose(2, 0, 1)
    biases = [near[np.newaxis]]
    if shift:
        between = apart(tall, wide, side, shift)[:, np.newaxis]  # (windows, 1, places, places)
        biases.append(np.tile(between, (pieces.rows, 1, 1, 1)))
    constants = [pieces.constant(np.ascontiguousarray(each)) for each in biases]
    mixed = pieces.self_attention(block, tokens, block.heads, size, *constants)
    shape = pieces.integers([pieces.rows, rows, columns, side, side, block.width])
    joined = ops.transpose(ops.reshape(mixed, shape, False), order)
    grid = _shaped(pieces, joined, tall, wide, block.width)
    if shift:
        grid = _rolled(pieces, grid, shift)
    return _sliced(pieces, grid, (0, 0), (height, width), 1)


def _merged(pieces: Pieces, merge: Any, grid: Any) -> Any:
    _, height, width, _ = grid.shape
    grid = pieces.padded(grid, height % 2, width % 2)
    ends = int(grid.shape[1]), int(grid.shape[2])
    parts = [_sliced(pieces, grid, (row, column), ends, 2) for column in range(2) for row in range(2)]
    return pieces.dense(merge.reduce, pieces.norm(merge.norm, pieces.ops.concat(parts, 3)))


def _sliced(pieces: Pieces, grid: Any, begin: tuple[int, int], end: tuple[int, int], step: int) -> Any:
    whole = [pieces.integers(list(each)) for each in (begin, end, (step, step), (1, 2))]
    return pieces.ops.slice(grid, *whole)


def _rolled(pieces: Pieces, grid: Any, by: int) -> Any:
    return pieces.ops.roll(grid, pieces.integers([by, by]), pieces.integers([1, 2]))


def _shaped(pieces: Pieces, tokens: Any, rows: int, columns: int, width: int) -> Any:
    return pieces.ops.reshape(tokens, pieces.integers([pieces.rows, rows, columns, width]), False)
