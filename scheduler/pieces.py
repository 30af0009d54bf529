"""An object's bytes that lie in several places in memory, on their way to the store without a copy."""

import io
from collections.abc import Sequence
from typing import Any

#: What one call hands to the socket: large enough to cost little, small enough to go out within a time limit.
BLOCK = 1 << 20


def blocks(pieces: Sequence[memoryview]) -> list[memoryview]:
    """The same bytes in blocks: small pieces put together, large ones cut."""
    cut: list[memoryview] = []
    small = bytearray()
    for piece in pieces:
        if len(small) + piece.nbytes > BLOCK and small:
            cut.append(memoryview(small))
            small = bytearray()
        if piece.nbytes < BLOCK:
            small += piece
        else:
            cut += [piece[begin : begin + BLOCK] for begin in range(0, piece.nbytes, BLOCK)]
    return [*cut, memoryview(small)] if small else cut


class Joined(io.RawIOBase):
    """The same bytes as a stream to read from."""

    def __init__(self, pieces: Sequence[memoryview]) -> None:
        super().__init__()
        self._left = [piece for piece in reversed(pieces) if piece.nbytes]

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads up to the end of a piece; 0 at the end."""
        if not self._left:
            return 0
        piece = self._left.pop()
        taken = min(len(buffer), piece.nbytes)
        buffer[:taken] = piece[:taken]
        if taken < piece.nbytes:
            self._left.append(piece[taken:])
        return taken
