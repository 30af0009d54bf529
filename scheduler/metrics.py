"""The metrics of a job in the store."""

from collections.abc import Sequence
from contextlib import suppress

from scheduler.artifacts import ArtifactStore
from scheduler.errors import UnknownArtifact
from scheduler.keys import JobKeys
from scheduler.metrics_pieces import Gap, MetricsPiece, Part, parts_of
from scheduler.results import Told

#: How often a listing may be out of date before something must be wrong.
_TRIES = 10


class StoredMetrics:
    """The metrics of one job."""

    def __init__(self, store: ArtifactStore, keys: JobKeys) -> None:
        self._store, self._keys = store, keys

    def read(self, attempt: int | None = None) -> bytes:
        """The lines of an attempt, from the job's first step on; of the newest that has any if none is named.

        There are none before its first upload.
        """
        for _ in range(_TRIES):
            # Merged meanwhile, if a piece is missing; the larger one is there before the small ones go.
            with suppress(Gap, UnknownArtifact):
                return self._joined(parts_of(self._pieces(), attempt))
        return self._joined(parts_of(self._pieces(), attempt, gaps=True))

    def told(self, told: Told | None) -> bytes:
        """The lines of the attempt that left a result, or of the newest that has any."""
        if told is not None and told.metrics is not None:
            return told.metrics.encode()
        return self.read((told and told.attempt) or None)

    def _joined(self, parts: Sequence[Part]) -> bytes:
        keys = [self._keys.metrics_piece(part.piece) for part in parts]
        return b"".join(self._store.get(key)[: part.size] for key, part in zip(keys, parts, strict=True))

    def _pieces(self) -> list[MetricsPiece]:
        found = (MetricsPiece.parse(item.key) for item in self._store.under(self._keys.all_metrics))
        return [piece for piece in found if piece is not None]
