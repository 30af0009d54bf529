"""Models that stay in a runner's memory from one job to the next."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar, cast

from worker.memory import size

logger = logging.getLogger(__name__)
_T = TypeVar("_T")


class Models:
    """What was loaded, by the digest of what it was loaded from; the least recently used leaves first.

    Args:
        most: bytes that all of them may have.

    Attributes:
        bytes: that they have.
        hits: how often one was found here, since `begin`.
        misses: how often one was not.
        jobs: how many this process has begun.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self.bytes = self.hits = self.misses = self.jobs = 0

    def begin(self) -> None:
        """A job begins."""
        self.jobs += 1
        self.hits = self.misses = 0

    def get(self, digest: str, load: Callable[[], tuple[_T, int]]) -> _T:
        """What is held under a digest; else what `load` returns, held if there is space for its bytes."""
        if digest in self._held:
            self.hits += 1
            self._held.move_to_end(digest)
            return cast("_T", self._held[digest][0])
        self.misses += 1
        loaded, count = load()
        if count <= self._most:
            self._held[digest] = (loaded, count)
            self.bytes += count
        while self.bytes > self._most:
            _, (_, freed) = self._held.popitem(last=False)
            self.bytes -= freed
        return loaded

    @property
    def story(self) -> dict[str, str]:
        """For people: whether the job found its model here, and what this process had done before."""
        told = {"jobs before in this process": str(self.jobs - 1)} if self.jobs > 1 else {}
        if self.hits + self.misses:
            told["model"] = "loaded" if self.misses else f"in memory, with {size(self.bytes)} of models"
        return told
