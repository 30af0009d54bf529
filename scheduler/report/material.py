"""What a report is made of, collected from the record and the store."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from scheduler.artifacts import ArtifactStore, StoredObject
from scheduler.errors import UnknownArtifact
from scheduler.keys import JobKeys
from scheduler.metrics import StoredMetrics
from scheduler.record import JobRecord
from scheduler.results import Told
from scheduler.states import JobState

#: Frames of the filmstrip, of all pictures along the way.
FRAMES = 16
#: Pixels; those of a sheet of digits are as wide already.
FRAME_WIDTH = 640
#: Bytes of pictures in all: a report is sent by mail and opened on a telephone.
PICTURE_BYTES = 6 << 20
#: Lines of the log that tell how a job failed.
LAST_LINES = 40
_PICTURES = (".png", ".gif")


@dataclass(frozen=True)
class Material:
    """One job, as a report tells of it.

    Attributes:
        record: the job, with the state that the report is to show.
        attempts: those that ended without ending the job: attempt, worker, cause, message, ended.
        metrics: every report of progress, oldest first.
        result: what the job left as data.
        frames: step -> PNG file, of pictures along the way.
        pictures: name -> PNG or GIF file, of those that it left.
        left_out: pictures that were too many or too large.
        files: name -> bytes, of everything that it left.
        environments: attempt -> where it ran.
        log: the last lines of the newest attempt's output.
        parts: that it was divided into, in the order of their rows.
    """

    record: JobRecord
    attempts: Sequence[Mapping[str, Any]] = ()
    metrics: Sequence[Mapping[str, Any]] = ()
    result: Mapping[str, Any] = field(default_factory=dict)
    frames: Mapping[int, bytes] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    files: Mapping[str, int] = field(default_factory=dict)
    environments: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    log: str = ""
    parts: Sequence[JobRecord] = ()


def gather(
    store: ArtifactStore,
    record: JobRecord,
    attempts: Sequence[Mapping[str, Any]],
    result: Mapping[str, Any] | None = None,
    parts: Sequence[JobRecord] = (),
) -> Material:
    """Reads what a report shows; what is not there is left out.

    Args:
        store: has the job's files.
        record: the job, with the state that the report is to show.
        attempts: as `Records.attempts` has them.
        result: the result of the job, where it is not in the store yet.
        parts: that it was divided into.

    Raises:
        Unreachable: the store does not answer.
    """
    keys = JobKeys(record.id)
    stored = list(store.under(keys.folder))
    samples = _spread([item for item in stored if item.key.startswith(keys.samples)], FRAMES)
    files = {
        item.key.removeprefix(keys.artifacts): item.size
        for item in stored
        if item.key.startswith(keys.artifacts)
    }
    files.pop("report.html", None)  # of an earlier attempt
    fitting, left_out = _fitting(files)
    told = Told.read(store, keys)
    return Material(
        record=record,
        attempts=attempts,
        metrics=[json.loads(line) for line in _metrics(store, keys, told).decode().splitlines()],
        result=told.result if result is None else result,
        frames={_step(item.key): _shrunk(store.get(item.key)) for item in samples},
        pictures={name: store.get(keys.artifact(name)) for name in fitting},
        left_out=left_out,
        files=files,
        environments=_environments(store, stored, keys)
        | ({told.attempt: dict(told.environment)} if told.environment else {}),
        log=_end_of_log(store, keys, record) if record.state is JobState.FAILED else "",
        parts=parts,
    )


def _spread(items: Sequence[StoredObject], most: int) -> list[StoredObject]:
    """The first, the last, and others in even distances."""
    if len(items) <= most:
        return list(items)
    return [items[round(number * (len(items) - 1) / (most - 1))] for number in range(most)]


def _shrunk(png: bytes) -> bytes:
    """A frame no wider than it is shown on the finest of screens."""
    picture = Image.open(io.BytesIO(png))
    if picture.width <= FRAME_WIDTH:
        return png
    picture.thumbnail((FRAME_WIDTH, FRAME_WIDTH * picture.height))
    file = io.BytesIO()
    picture.save(file, "png", optimize=True)
    return file.getvalue()


def _fitting(files: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """The pictures to show, and those for which there is no space; single ones in folders are not meant."""
    fitting: list[str] = []
    left_out: list[str] = []
    space = PICTURE_BYTES
    for name, size in files.items():
        if name.endswith(_PICTURES) and "/" not in name:
            (fitting if size <= space else left_out).append(name)
            space -= size if size <= space else 0
    return fitting, left_out


def _metrics(store: ArtifactStore, keys: JobKeys, told: Told) -> bytes:
    # An attempt that has a result has all of them; before that, the newest that has any.
    return StoredMetrics(store, keys).told(told if told.metrics is not None else None)


def _environments(
    store: ArtifactStore, stored: Sequence[StoredObject], keys: JobKeys
) -> dict[int, dict[str, str]]:
    found = [item.key for item in stored if item.key.startswith(keys.environments)]
    return {int(key.rpartition("/")[2].partition(".")[0]): _json(store, key) for key in found}


def _end_of_log(store: ArtifactStore, keys: JobKeys, record: JobRecord) -> str:
    try:
        text = store.get(keys.log(max(record.attempt, 1))).decode(errors="replace")
    except UnknownArtifact:
        return ""
    return "\n".join(text.splitlines()[-LAST_LINES:])


def _json(store: ArtifactStore, key: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = store.get_json(key)
    except UnknownArtifact:
        return {}
    return found


def _step(key: str) -> int:
    return int(key.rpartition("/")[2].partition(".")[0])
