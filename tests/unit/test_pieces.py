"""Bytes in several places, in blocks and as a stream."""

import io
import random

import pytest

from scheduler import pieces


@pytest.mark.parametrize("sizes", [[], [0], [3], [16], [16, 16], [1, 2, 3, 40, 0, 5, 15, 15, 1, 33], [100]])
def test_blocks_and_stream_are_the_same_bytes(sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "BLOCK", 16)
    parts = [memoryview(random.Random(size).randbytes(size)) for size in sizes]
    whole = b"".join(parts)
    cut = pieces.blocks(parts)
    assert b"".join(cut) == whole
    assert all(0 < block.nbytes <= 16 for block in cut)
    assert io.BufferedReader(pieces.Joined(parts), 7).read() == whole


def test_large_pieces_are_not_copied() -> None:
    large = memoryview(bytearray(3 * pieces.BLOCK + 5))
    assert all(block.obj is large.obj for block in pieces.blocks([large]))
