"""The files of a job as a person holds it: pictures, artifacts, metrics, logs, report."""

import io
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.artifacts import ArtifactStore, StoredObject
from scheduler.errors import NotInstalled, UnknownArtifact
from scheduler.keys import JobKeys
from scheduler.metrics import StoredMetrics
from scheduler.record import JobRecord
from scheduler.records import Records
from scheduler.results import Told
from scheduler.states import JobState

if TYPE_CHECKING:
    from PIL import Image


class JobFiles:
    """What a job has left or leaves in the store, and its record. Its properties ask Redis each time."""

    def __init__(
        self, records: Records, store: ArtifactStore, job_id: str, record: JobRecord | None = None
    ) -> None:
        self.id = job_id
        self._records = records
        self._store = store
        self._keys = JobKeys(job_id)
        self._last = record

    @property
    def record(self) -> JobRecord:
        """Everything that Redis knows of the job, now."""
        if self._last is None or not self._last.state.final:
            self._last = self._records.get(self.id)
        return self._last

    @property
    def state(self) -> JobState:
        """Where the job stands."""
        return self.record.state

    def samples(self) -> list[StoredObject]:
        """Pictures along the way, in the order of steps."""
        return list(self._store.under(self._keys.samples))

    def artifacts(self) -> dict[str, int]:
        """The files that the job left: name -> size in bytes."""
        return {
            item.key.removeprefix(self._keys.artifacts): item.size
            for item in self._store.under(self._keys.artifacts)
        }

    def artifact(self, name: str) -> bytes:
        """The content of one of the files that the job left.

        Raises:
            UnknownArtifact: it left none of that name.
        """
        if name == "report.html" and self.state.final:
            return self.report().encode()
        try:
            return self._store.get(self._keys.artifact(name))
        except UnknownArtifact:
            left = ", ".join(self.artifacts()) or "nothing yet"
            raise UnknownArtifact(f"job {self.id} has no artifact {name!r}: it left {left}") from None

    def images(self) -> "list[Image.Image]":
        """Its pictures: those along the way in the order of steps, then those it left for people.

        Single images in sub-folders, of which there may be thousands, are left to `download`.
        """
        return [self._open(key) for key in self._image_keys()]

    def metrics(self) -> list[dict[str, Any]]:
        """Every report, oldest first."""
        return [json.loads(line) for line in self._metrics().decode().splitlines()]

    def download(self, folder: str | Path) -> list[Path]:
        """Copies everything the job left for people (artifacts, samples, metrics, result) into a folder."""
        if self.state.final:
            with suppress(NotInstalled):
                self.report()  # which is among the artifacts from then on
        keys = [item.key for item in self._store.under(self._keys.artifacts)]
        keys += [item.key for item in self._store.under(self._keys.samples)]
        keys += [key for key in (self._keys.result, self._keys.spec) if self._store.exists(key)]
        copied = self._copy(keys, folder)
        if lines := self._metrics():
            path = Path(folder) / "metrics.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(lines)
            copied.append(path)
        return copied

    def download_images(self, folder: str | Path) -> list[Path]:
        """Copies the pictures that `images` shows into a folder."""
        return self._copy(self._image_keys(), folder)

    def report(self) -> str:
        """One HTML page on how the job stands, self-contained; of one that has ended, its `report.html`."""
        from scheduler.report import read_report  # not needed by whoever only submits

        return read_report(self._store, self._records, self.record)

    def logs(self, follow: bool = False) -> Iterator[str]:
        """Yields all output of the job's attempts; with `follow`, as it comes, until the job has ended."""
        from scheduler.logs import read_logs

        return read_logs(self._records, self._store, self.id, follow)

    def read(self, key: str) -> bytes:
        """The content of any object of the job, by its key."""
        return self._store.get(key)

    def _metrics(self) -> bytes:
        """The metrics of the attempt that left the result, or else of the newest that has any."""
        done = self.state is JobState.SUCCEEDED
        return StoredMetrics(self._store, self._keys).told(
            Told.read(self._store, self._keys) if done else None
        )

    def _image_keys(self) -> list[str]:
        keys = [item.key for item in self.samples()]
        return keys + [
            self._keys.artifact(name)
            for name in self.artifacts()
            if name.endswith((".png", ".gif")) and "/" not in name
        ]

    def newest_picture(self) -> bytes | None:
        """The picture that shows best how far the job is, as a PNG file; None if there is none."""
        for name in ("grid.png", "samples.png"):
            if name in self.artifacts():
                return self.artifact(name)
        samples = self.samples()
        return self.read(samples[-1].key) if samples else None

    def _copy(self, keys: list[str], folder: str | Path) -> list[Path]:
        return [self._store.get_file(key, Path(folder) / key.removeprefix(self._keys.folder)) for key in keys]

    def _open(self, key: str) -> "Image.Image":
        from PIL import Image

        image = Image.open(io.BytesIO(self.read(key)))
        image.info["key"] = key
        return image
