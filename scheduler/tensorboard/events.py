"""The event files of one job, made from the store, and kept up with a job that runs."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from scheduler.artifacts import ArtifactStore
from scheduler.comparing import flat
from scheduler.job import Job
from scheduler.keys import JobKeys
from scheduler.results import Told
from scheduler.tensorboard.projector import points_of

#: What is in every line of metrics.jsonl, and no metric.
_OF_EVERY_LINE = frozenset({"step", "time", "stage"})

#: Fields that change nothing of what comes out.
_NO_CHOICE = frozenset({"kind", "limits", "pool", "checkpoint_seconds"})

Line = Mapping[str, Any]


class JobEvents:
    """Writes what is new of a job, each time it is asked.

    Tags are the names of the metrics, `samples` and the names of pictures, `spec`, `message`; the numbers of
    the result are `result/...`, once the job has succeeded.

    Args:
        job: the job.
        store: has its files.
        folder: of all runs; that of the job is made in it.
    """

    def __init__(self, job: Job[Any], store: ArtifactStore, folder: Path) -> None:
        self._job, self._store, self._keys = job, store, JobKeys(job.id)
        record = job.record
        self._folder = folder / f"{record.kind}-{job.id[:8]}"
        self._files = 0
        self._writer = self._opened()
        self._lines: list[Line] = []
        self._samples: set[str] = set()
        self.ended = False  #: whether all is written, and nothing will follow
        text = json.dumps(record.spec, indent=2, ensure_ascii=False)
        self._writer.add_text(
            "spec", "\n".join(f"    {line}" for line in text.splitlines()), 0, record.created
        )

    def update(self) -> None:
        """Writes what is new.

        Raises:
            Unreachable: a server does not answer; ask again.
        """
        if self.ended:
            return
        final = self._job.state.final  # before the rest is read: what comes later is read the next time
        self._add_scalars(self._job.metrics())
        self._add_samples()
        if final:
            self._end()
        self._writer.flush()

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()

    def _opened(self, purge_step: int | None = None) -> SummaryWriter:
        # A number in the name: two files of one second would be one.
        self._files += 1
        suffix = f".{self._files:04d}"
        return SummaryWriter(str(self._folder), purge_step=purge_step, flush_secs=1, filename_suffix=suffix)

    def _add_scalars(self, lines: Sequence[Line]) -> None:
        known = len(self._lines)
        if list(lines[:known]) != self._lines:
            # An attempt has gone on from a checkpoint: what was told of later steps counts no more.
            same = next(
                (at for at, line in enumerate(self._lines) if at >= len(lines) or lines[at] != line), known
            )
            purged = int(self._lines[same]["step"])
            self._writer.close()
            self._writer = self._opened(purged)
            known = same
        for line in lines[known:]:
            for name, value in line.items():
                if name not in _OF_EVERY_LINE and isinstance(value, int | float):
                    self._writer.add_scalar(name, value, int(line["step"]), walltime=line.get("time"))
        self._lines = list(lines)

    def _add_samples(self) -> None:
        for item in self._job.samples():
            if item.key not in self._samples:
                self._samples.add(item.key)
                step = int(item.key.rpartition("/")[2].partition(".")[0])
                self._add_picture("samples", self._store.get(item.key), step)

    def _add_picture(self, tag: str, png: bytes, step: int) -> None:
        with Image.open(io.BytesIO(png)) as picture:
            pixels = np.asarray(picture.convert("RGB"))  # (height, width, 3)
        self._writer.add_image(tag, pixels, step, dataformats="HWC")

    def _end(self) -> None:
        self.ended = True
        record = self._job.record
        step = record.progress.total if record.progress else 0
        if record.message:
            self._writer.add_text("message", f"{record.cause or record.state}: {record.message}", step)
        for name in self._job.artifacts():
            if name.endswith(".png") and "/" not in name:
                self._add_picture(name.removesuffix(".png"), self._job.artifact(name), step)
        result = Told.read(self._store, self._keys).result
        numbers = {f"result/{name}": value for name, value in flat(result).items() if _is_number(value)}
        fields = {
            name: value if isinstance(value, bool | int | float | str) else json.dumps(value)
            for name, value in flat(record.spec).items()
            if value not in (None, {}) and name.partition(".")[0] not in _NO_CHOICE
        }
        if numbers:
            # Not `add_hparams`, which makes a run of its own. Without the list of fields: TensorBoard takes
            # that of any one run for all of them; where there is none, it collects the fields of every run.
            _, start, end = hparams(dict(fields), numbers)
            for summary in (start, end):
                self._writer.file_writer.add_summary(summary)
            for name, value in numbers.items():
                self._writer.add_scalar(name, value, step)
        if (points := points_of(self._job, self._store)) is not None:
            names, header = points.metadata()
            self._writer.add_embedding(
                points.embeddings,
                metadata=names,
                metadata_header=header,
                label_img=points.pictures,
                tag="embeddings",
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
