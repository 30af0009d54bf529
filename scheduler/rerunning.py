"""Whether two runs of a spec came to the same bits."""

from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Any
from zipfile import ZipFile, is_zipfile

from scheduler.job import Job

#: What holds times or dates differs between any two runs.
_WITH_TIMES = (".html", ".json")


@dataclass(frozen=True)
class Bits:
    """What was compared of two jobs, and what differs."""

    compared: tuple[str, ...]
    differing: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether they came to the same bits."""
        return not self.differing


def compare_bits(first: Job[Any], second: Job[Any]) -> Bits:
    """Compares the files that two jobs left, and the digests in their results; without any, the results.

    Raises:
        JobFailed: one has no result.
        NotFinished: one has not ended.
    """
    results = [job.result().model_dump(mode="json") for job in (first, second)]
    files = [{name for name in job.artifacts() if not name.endswith(_WITH_TIMES)} for job in (first, second)]
    fields = sorted(name for name in results[0] if name.endswith("sha256"))
    names = sorted(files[0] | files[1])
    if not fields and not names:
        fields = sorted(results[0])
    differing = [name for name in fields if results[0][name] != results[1].get(name)]
    differing += [
        name
        for name in names
        if any(name not in each for each in files)
        or _content(first.artifact(name)) != _content(second.artifact(name))
    ]
    return Bits((*fields, *names), tuple(differing))


def _content(data: bytes) -> object:
    """A file's bytes; of an archive (`.keras`, `.npz`, `.zip`), whose entries have dates, what is in them."""
    if not is_zipfile(BytesIO(data)):
        return data
    with ZipFile(BytesIO(data)) as archive:
        return {
            name: sha256(archive.read(name)).digest()
            for name in archive.namelist()
            if not name.endswith(_WITH_TIMES)
        }
