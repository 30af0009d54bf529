"""The checkpoints of one job: which an attempt goes on from, what is written and deleted, in what order.

Decided here once for every place where checkpoints are: a folder, or the artifact store.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple, Protocol

from jobs.checkpoints.file import Checkpoint, DamagedCheckpoint
from jobs.checkpoints.keeping import CheckpointName, Keeper, superfluous

log = logging.getLogger(__name__)


class Place(Protocol):
    """Where the checkpoints of one job are."""

    def listing(self) -> Iterable[str]:
        """Names or keys of the files there, in any order; there may be others among them."""

    def read(self, name: CheckpointName) -> Checkpoint:
        """Reads one of this job's spec.

        Raises:
            DamagedCheckpoint: it is missing, damaged, or of another spec.
        """

    def write(self, name: CheckpointName, checkpoint: Checkpoint) -> None:
        """Writes one, which appears whole or not at all."""

    def delete(self, name: CheckpointName) -> None:
        """Removes one; none of that name is fine."""

    def label(self, name: CheckpointName) -> str:
        """What a person would look for: its file or its key."""


class Found(NamedTuple):
    """What an attempt goes on from."""

    name: CheckpointName
    checkpoint: Checkpoint


class KeptCheckpoints:
    """The checkpoints of one job, as one of its attempts reads and writes them.

    Args:
        place: where they are.
        attempt: the number of the attempt.
    """

    def __init__(self, place: Place, attempt: int) -> None:
        self._place = place
        self._keeper = Keeper(attempt)
        self._passed_over: list[CheckpointName] = []  #: those that cannot be used

    def names(self) -> list[CheckpointName]:
        """Whole or not, from the oldest to the newest."""
        found = (CheckpointName.parse(text) for text in self._place.listing())
        return sorted(name for name in found if name is not None)

    def load(self) -> Found | None:
        """The newest one that is whole, with the best one that belongs to it; None if there is none.

        Its `best` is None if there is none, or if that one turns out to be damaged; then the log says so.
        """
        names = self.names()
        for name in reversed(names):
            found = self._read(name)
            if found is not None:
                log.warning("goes on from step %d (%s)", found.step, self._place.label(name))
                best = self._keeper.goes_on_from(name)
                return Found(name, replace(found, best=self._read(best) if best else None))
        if names:
            log.warning("no checkpoint is usable: begins anew")
        return None

    def whole(self) -> Iterator[Checkpoint]:
        """Every one that is whole, from the newest to the oldest, with the best one that belongs to it."""
        for name in reversed(self.names()):
            if (found := self._read(name)) is not None:
                best = self._keeper.goes_on_from(name)
                yield replace(found, best=self._read(best) if best else None)

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint, the best one that it knows of before it, and deletes what may go then."""
        for name, each in self._keeper.to_write(checkpoint):
            self._place.write(name, each)
            if name in self._passed_over:  # in place of the damaged one of this name: whole now
                self._passed_over.remove(name)
        # Only after the new one is there: until then the old ones are all there is. Those that were passed
        # over count for nothing, whatever their step: they must not push out one that is whole.
        whole = [name for name in self.names() if name not in self._passed_over]
        for old in (*superfluous(whole), *self._passed_over):
            self._place.delete(old)
        self._passed_over.clear()

    def _read(self, name: CheckpointName) -> Checkpoint | None:
        try:
            return self._place.read(name)
        except DamagedCheckpoint as damage:
            log.warning("checkpoint %s is passed over: %s", self._place.label(name), damage)
            self._passed_over.append(name)
            return None
