"""Which checkpoints a job keeps: the newest ones, and the best one that each of them knows of.

A checkpoint's name says which one was the best when it was saved, so a listing alone decides what may go, in
any process and after any crash. The best one is in place before the first that names it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from jobs.checkpoints.file import Checkpoint  # brings NumPy, which names do not need

#: Checkpoints kept besides the best: the newest, and one to fall back to.
NEWEST = 2

_NAME = re.compile(r"([0-9]{12,})-([0-9]{4,})(?:\.best-([0-9]{12,})-([0-9]{4,}))?\.safetensors")


@dataclass(frozen=True, order=True)
class CheckpointName:
    """The name of a checkpoint's file; in the order of steps, then of attempts.

    Attributes:
        step: steps done.
        attempt: the attempt that wrote it.
        best: step and attempt of the best one by then; empty if there is none, or if it is this one.
    """

    step: int
    attempt: int
    best: tuple[int, int] | tuple[()] = ()

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The name in a file's name or a key; None for a file that is no checkpoint."""
        found = _NAME.fullmatch(text.rpartition("/")[2])
        if found is None:
            return None
        step, attempt, *best = (int(number) for number in found.groups() if number is not None)
        return cls(step, attempt, (best[0], best[1]) if best else ())

    def __str__(self) -> str:
        best = ".best-{:012d}-{:04d}".format(*self.best) if self.best else ""
        return f"{self.step:012d}-{self.attempt:04d}{best}.safetensors"


def superfluous(names: Iterable[CheckpointName]) -> list[CheckpointName]:
    """Those that may go, of the whole ones of a job."""
    ordered = sorted(names)
    newest = ordered[-NEWEST:]
    best = {name.best for name in newest}
    return [name for name in ordered if name not in newest and (name.step, name.attempt) not in best]


class Keeper:
    """Names the checkpoints of one attempt, and knows which best one is in place.

    Args:
        attempt: the number of the attempt.
    """

    def __init__(self, attempt: int) -> None:
        self._attempt = attempt
        self._best: CheckpointName | None = None

    def goes_on_from(self, name: CheckpointName) -> CheckpointName | None:
        """Notes what the attempt goes on from; the name of the best one beside it, if there is one."""
        self._best = CheckpointName(*name.best) if name.best else name
        return self._best if name.best else None

    def to_write(self, new: "Checkpoint") -> "list[tuple[CheckpointName, Checkpoint]]":
        """What has to be written for a checkpoint: the best one first, unless it is in place, then itself."""
        if new.best is None:
            # Itself the best one, perhaps; if there is none, nothing will ask for it.
            self._best = CheckpointName(new.step, self._attempt)
            return [(self._best, new)]
        writes = []
        if self._best is None or self._best.step != new.best.step:
            self._best = CheckpointName(new.best.step, self._attempt)
            writes.append((self._best, new.best))
        best = (self._best.step, self._best.attempt)
        return [*writes, (CheckpointName(new.step, self._attempt, best), new)]
