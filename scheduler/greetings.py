"""The lines with which TensorFlow greets every process. They say nothing of the job, and would begin its log.

Told by what they are, so that every other line comes through. Also a program, which reads standard input and
writes all else to standard error: a process of its own, so that the last words of one that crashes arrive.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WHERE = rb"(?:[IWE]\d{4} [\d:.]+ +\d+ |\d{4}-\d\d-\d\d [\d:.]+: [IWE] )\S*"
#: On any machine.
_PLAIN = (
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR",
    _WHERE + rb"port\.cc:\d+\] oneDNN custom operations are on\..*",
    _WHERE + rb"cpu_feature_guard\.cc:\d+\] This TensorFlow binary is optimized to use available CPU.*",
    rb"To enable the following instructions: .*, in other operations, rebuild TensorFlow with .*",
)
#: Where no graphics card is to be used; elsewhere they are the reason why none is.
_WITHOUT_CARD = (
    _WHERE + rb"cudart_stub\.cc:\d+\] Could not find cuda drivers on your machine.*",
    _WHERE + rb"cuda_(?:platform|driver|executor)\.cc:\d+\] failed call to cuInit: .*",
)
_KNOWN = {
    card: re.compile(b"|".join(_PLAIN if card else (*_PLAIN, *_WITHOUT_CARD))) for card in (False, True)
}
#: Longer than any of them.
_LONGEST = 600


def uses_card() -> bool:
    """Whether TensorFlow in this environment may find a graphics card."""
    return os.environ.get("CUDA_VISIBLE_DEVICES") != "-1" and Path("/dev/nvidiactl").exists()


def is_greeting(line: bytes, card: bool) -> bool:
    """Whether a line is one of them, with a graphics card to be used or without."""
    return _KNOWN[card].fullmatch(line.rstrip(b"\r\n")) is not None


class Filter:
    """Output without them, as it comes in pieces."""

    def __init__(self, card: bool) -> None:
        self._card = card
        self._unfinished = b""

    def passed(self, piece: bytes, last: bool = False) -> bytes:
        """What of this piece, and of the line before it, is to be shown now; with `last` all the rest."""
        *lines, self._unfinished = (self._unfinished + piece).splitlines(keepends=True) or [b""]
        if self._unfinished.endswith(b"\n") or last or len(self._unfinished) > _LONGEST:
            lines.append(self._unfinished)
            self._unfinished = b""
        return b"".join(line for line in lines if not is_greeting(line, self._card))


@contextmanager
def kept_from_stderr() -> Iterator[int]:
    """Keeps them from standard error meanwhile; yields a descriptor of standard error as it was."""
    command = [sys.executable, "-I", "-S", str(Path(__file__).absolute()), str(int(uses_card()))]
    sys.stderr.flush()
    before = os.dup(2)
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as reader:
        assert reader.stdin is not None  # noqa: S101
        os.dup2(reader.stdin.fileno(), 2)
        reader.stdin.close()
        try:
            yield before
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
    os.close(before)


def main() -> None:
    """Copies standard input to standard error."""
    kept = Filter(sys.argv[1] == "1")
    while piece := os.read(0, 1 << 16):
        os.write(2, kept.passed(piece))
    os.write(2, kept.passed(b"", last=True))


if __name__ == "__main__":
    main()
