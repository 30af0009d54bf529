"""metrics.jsonl of one attempt: whole on the local disk, and sent to the store piece by piece."""

from contextlib import suppress
from pathlib import Path

from jobs.checkpoints.reports import lines_up_to
from scheduler.artifacts import ArtifactStore
from scheduler.errors import StoreRefused, Unreachable
from scheduler.keys import JobKeys
from scheduler.metrics import StoredMetrics
from scheduler.metrics_pieces import MetricsPiece

#: So many pieces are merged into one, and so many of those once more: with an upload every ten seconds, a job
#: has 59 large ones after a week, and at most 62 others.
_MERGED = 32
_TYPE = "application/jsonl"


class SentMetrics:
    """The lines that an attempt reports, each of which is sent four times at the most.

    Once when it is new, twice in larger pieces, so that there are few objects, and once in the whole file: so
    what a job sends grows with its length, and not with the square of it. `add` may be called beside the
    others; these are called one after the other, and again if the store did not answer.

    Args:
        store: where the pieces go.
        keys: of the job.
        attempt: the number of the attempt.
        path: of the file on the local disk.
    """

    def __init__(self, store: ArtifactStore, keys: JobKeys, attempt: int, path: Path) -> None:
        self._store, self._keys, self._attempt, self._path = store, keys, attempt, path
        self._sent = 0  #: bytes of the file that are in the store
        self._before: MetricsPiece | None = None  #: what another attempt has sent
        self._levels: tuple[list[MetricsPiece], ...] = ([], [], [])  #: never merged, once, twice

    def add(self, line: str) -> None:
        """Adds a line to the local file."""
        with self._path.open("a") as file:
            file.write(line)

    def begin_with(self, lines: str) -> None:
        """Begins with the lines of another job, which this one goes on from."""
        self._path.write_text(lines)

    def go_on_from(self, attempt: int, step: int) -> None:
        """Begins with the lines of the attempt that wrote a checkpoint, which go at least as far as this."""
        found = StoredMetrics(self._store, self._keys).read(attempt)
        kept = lines_up_to(found.decode(), step).encode()
        self._path.write_bytes(kept)
        if kept and found.startswith(
            kept
        ):  # as ever, unless a job has reported an earlier step after a later
            self._before = MetricsPiece(self._attempt, 0, len(kept), of=attempt)

    def send(self) -> None:
        """Sends the lines that are new."""
        if self._before is not None and not self._sent:
            self._store.put(self._keys.metrics_piece(self._before), b"", _TYPE)
            self._sent = self._before.end
        new = self._read(self._sent)
        new = new[: new.rfind(b"\n") + 1]  # the job may be adding a line just now
        if new:
            piece = MetricsPiece(self._attempt, self._sent, self._sent + len(new))
            self._store.put(self._keys.metrics_piece(piece), new, _TYPE)
            self._levels[0].append(piece)
            self._sent = piece.end
        for pieces, larger in zip(self._levels[:-1], self._levels[1:], strict=True):
            if len(pieces) >= _MERGED:
                self._merge(pieces, larger)

    def short(self, most: int) -> str | None:
        """All lines, if they are so few bytes and none was sent; else None, and `finish` must follow."""
        if self._sent or self._before is not None:
            return None
        if not self._path.exists():
            return ""
        return None if self._path.stat().st_size > most else self._path.read_text()

    def finish(self) -> None:
        """Sends the whole file, and removes the pieces. What is left of them does no harm."""
        if self._path.exists():
            self._store.put_file(self._keys.metrics(self._attempt), self._path, _TYPE)
            with suppress(Unreachable, StoreRefused):
                self._remove([piece for pieces in self._levels for piece in pieces])
                self._remove([self._before] if self._before else [])

    def _merge(self, pieces: list[MetricsPiece], larger: list[MetricsPiece]) -> None:
        merged = MetricsPiece(self._attempt, pieces[0].start, pieces[-1].end)
        content = self._read(merged.start, merged.end - merged.start)
        self._store.put(self._keys.metrics_piece(merged), content, _TYPE)
        # Only now: whoever lists the pieces meanwhile finds the bytes twice, and never a gap for good.
        self._remove(pieces)
        pieces.clear()
        larger.append(merged)

    def _remove(self, pieces: list[MetricsPiece]) -> None:
        for piece in pieces:
            self._store.delete(self._keys.metrics_piece(piece))

    def _read(self, start: int, count: int = -1) -> bytes:
        if not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            file.seek(start)
            return file.read(count)
