"""Runs a job in a folder: no queue, no store, no server. For tests, notebooks and `triptych run`."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from jobs import catalog
from jobs.checkpoints.file import Checkpoint, digest_of_spec
from jobs.checkpoints.folder import CheckpointFolder
from jobs.checkpoints.kept import KeptCheckpoints
from jobs.checkpoints.reports import line_of, lines_up_to
from jobs.checkpoints.sealed import seal, unseal
from jobs.context import Progress, StopReason, T, memory_of_the_machine
from jobs.errors import BadInput
from jobs.extending.siblings import Siblings, read_spec
from jobs.names import checked_name, checked_path
from jobs.spec import JobResult, JobSpec, ResultT

if TYPE_CHECKING:
    from jobs.datasets.images.image_set import ImageSet
    from jobs.datasets.tables.table import Table

#: Pieces of the result, for later attempts.
_SHARDS = "shards"
#: What a job leaves in its folder besides its spec; a folder of work is of one that runs, or was killed.
_LEFT = (
    *("checkpoints", "samples", "artifacts", "datasets", _SHARDS),
    *("metrics.jsonl", "result.json", ".work-*"),
)


class LocalContext:
    """A `JobContext` in a folder, laid out as a job is in the artifact store.

    Use it in a `with` statement: leaving it waits for what is saved in the background.

    Args:
        folder: the job's folder; made if it is not there. Other jobs are the folders beside it.
        data: paths by name, before the named ones: of data sets (a folder of images, an `.npz`, a file of
            texts or a table) and of checkpoints (a folder).
    """

    memory = memory_of_the_machine()

    def __init__(self, folder: Path, data: Mapping[str, Path] | None = None) -> None:
        self._job = folder
        self._whole = folder  #: of a part, the folder of the job that it is of
        self._others = Siblings(folder.absolute().parent)
        self._data = dict(data or {})
        self._job.mkdir(parents=True, exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix=".work-", dir=folder))
        self._saver = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._saving: Future[None] | None = None
        place = CheckpointFolder(folder / "checkpoints", lambda: digest_of_spec(read_spec(folder)))
        self._checkpoints = KeptCheckpoints(place, attempt=1)  # one after the other; none writes late

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Waits for the checkpoint that is being saved, and removes the working folder.

        Raises:
            OSError: the checkpoint could not be saved.
        """
        self._saver.shutdown(wait=True)
        shutil.rmtree(self._work, ignore_errors=True)
        if self._saving is not None:
            self._saving.result()

    @property
    def folder(self) -> Path:
        """An empty folder for this attempt alone; gone afterwards."""
        return self._work

    def report(self, progress: Progress) -> None:
        """Adds a line to metrics.jsonl."""
        with self._metrics.open("a") as file:
            file.write(line_of(progress, total=progress.total))

    def should_stop(self) -> StopReason | None:
        """Never asks to; tests override it."""
        return None

    def save_sample(self, step: int, png: bytes) -> None:
        """Writes `samples/<step>.png`."""
        _write(self._job / "samples" / f"{step:012d}.png", png)

    def samples(self) -> list[bytes]:
        """Reads `samples/`."""
        return [path.read_bytes() for path in sorted((self._job / "samples").glob("*.png"))]

    def save_artifact(self, name: str, content: bytes | Path) -> None:
        """Writes `artifacts/<name>`."""
        _write(self._artifact(self._whole, name), content)

    def save_shard(self, name: str, path: Path) -> None:
        """Writes `shards/<name>`."""
        _write(self._shard(name), path)

    def shard(self, name: str) -> Path | None:
        """See `JobContext.shard`."""
        path = self._shard(name)
        return path if path.is_file() else None

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Writes it into `checkpoints/` in the background, after the one before.

        Raises:
            OSError: the one before could not be saved.
        """
        if self._saving is not None:
            self._saving.result()
        self._saving = self._saver.submit(self._keep, checkpoint)

    def checkpoint_in_flight(self) -> bool:
        """Whether an earlier checkpoint is still being saved."""
        return self._saving is not None and not self._saving.done()

    def load_checkpoint(self) -> Checkpoint | None:
        """See `JobContext.load_checkpoint`."""
        found = self._checkpoints.load()
        self._drop_metrics_after(found.checkpoint.step if found else 0)
        return found.checkpoint if found else None

    def checkpoints_of(self, job_id: str) -> Iterator[Checkpoint]:
        """See `JobContext.checkpoints_of`: of the job in the folder beside this one."""
        return self._others.checkpoints(job_id)

    def adopt_reports(self, job_id: str, step: int, samples: Callable[[int], bool]) -> None:
        """See `JobContext.adopt_reports`."""
        _write(self._metrics, self._others.reports(job_id, step).encode())
        for at, path in self._others.samples(job_id).items():
            if at <= step and samples(at):
                _write(self._job / "samples" / path.name, path)

    def image_set(self, name: str) -> "ImageSet":
        """A data set of images: from the path given for the name, else a named one.

        Raises:
            BadInput: it cannot be loaded, or has no image.
        """
        from jobs.datasets import local

        return local.image_set(name, self._data)

    def table(self, name: str) -> "Table":
        """A table with time: from the file given for the name, else a named one.

        Raises:
            BadInput: it cannot be read, or there is none.
        """
        from jobs.datasets import local

        return local.table(name, self._data)

    def files(self, name: str, fetch: Callable[[Path], None] | None = None) -> Path:
        """See `JobContext.files`: from the path given for the name, else fetched anew.

        Raises:
            BadInput: there is no path for the name, and no way to fetch it.
        """
        from jobs.datasets import local

        return local.files(name, self._data, self._work, fetch)

    def spec_of(self, job_id: str) -> JobSpec[Any]:
        """See `JobContext.spec_of`: of the job in the folder `job_id` beside this one."""
        return self._others.spec(job_id)

    def result_of(self, job_id: str) -> JobResult | None:
        """See `JobContext.result_of`."""
        return self._others.result(job_id)

    def artifact_of(self, job_id: str, name: str) -> Path:
        """See `JobContext.artifact_of`."""
        return self._others.artifact(job_id, name)

    def digest_of(self, job_id: str, *names: str) -> str:
        """See `JobContext.digest_of`: nothing stays in memory here, so any text will do."""
        return f"{job_id} {names}"

    def in_memory(self, digest: str, load: Callable[[], tuple[T, int]]) -> T:
        """See `JobContext.in_memory`: loaded for each job."""
        return load()[0]

    def save_data_set(self, name: str, images: "ImageSet") -> None:
        """Writes `datasets/<name>.npz`, in place of an earlier attempt's."""
        path = self._work / "images.npz"
        images.write(path)
        _write(self._job / "datasets" / f"{checked_name(name, 'data set name')}.npz", path)

    def cached(self, name: str, make: Callable[[], bytes]) -> bytes:
        """See `JobContext.cached`: kept in `.triptych-cache` beside this job, for the jobs beside it."""
        path = self._cache / checked_path(name, "cache entry")
        content = unseal(path.read_bytes()) if path.is_file() else None
        if content is None:
            content = make()
            made = self._work / "cached"  # others may write the same entry at this moment
            made.write_bytes(seal(content))
            _move(made, path)
        return content

    def cached_file(self, name: str, make: Callable[[Path], None]) -> Path:
        """See `JobContext.cached_file`: kept as `cached` keeps it."""
        path = self._cache / checked_path(name, "cache entry")
        if not path.is_file():
            made = self._work / "cached"
            make(made)
            _move(made, path)
        return path

    @property
    def _cache(self) -> Path:
        return self._whole.absolute().parent / ".triptych-cache"

    @property
    def _metrics(self) -> Path:
        return self._job / "metrics.jsonl"

    def _shard(self, name: str) -> Path:
        return self._job / _SHARDS / checked_path(name, "shard name")

    @staticmethod
    def _artifact(job: Path, name: str) -> Path:
        return job / "artifacts" / checked_path(name, "artifact")

    def _keep(self, new: Checkpoint) -> None:
        self._checkpoints.save(new)

    def _drop_metrics_after(self, step: int) -> None:
        if self._metrics.exists():
            _write(self._metrics, lines_up_to(self._metrics.read_text(), step).encode())


def run_locally(
    spec: JobSpec[ResultT],
    folder: Path,
    data: Mapping[str, Path] | None = None,
    context: type[LocalContext] = LocalContext,
) -> ResultT:
    """Runs a spec in a folder, from its newest checkpoint if the folder holds one of the same spec.

    Writes spec.json first and result.json last: its existence means complete.

    Args:
        spec: what to compute.
        folder: where everything goes; made if it is not there.
        data: paths of data sets by name.
        context: what the job sees.

    Raises:
        InvalidSpec: a named data set holds something else than its field takes.
        BadInput: the folder holds what a job of another spec has left, or the job cannot be done.
    """
    from jobs.datasets.known import check_named

    check_named(spec, data or {})
    folder.mkdir(parents=True, exist_ok=True)
    held = read_spec(folder) if (folder / "spec.json").exists() else None
    if held not in (None, spec) and any(any(folder.glob(name)) for name in _LEFT):
        raise BadInput(f"{folder} holds a job of another spec; choose another folder, or empty this one")
    if held != spec:  # one that left nothing but its spec was refused before it began
        _write(folder / "spec.json", json.dumps(spec.to_wire(), indent=2).encode())
    (folder / "result.json").unlink(missing_ok=True)
    with context(folder, data) as running:
        result = catalog.run(spec, running)
    _write(folder / "result.json", result.model_dump_json(indent=2).encode())
    shutil.rmtree(folder / _SHARDS, ignore_errors=True)  # only now: until then they are all there is
    return result


def _move(made: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made.replace(path)


def _write(path: Path, content: bytes | Path) -> None:
    """Writes a file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.half")
    if isinstance(content, Path):
        shutil.copyfile(content, half)
    else:
        half.write_bytes(content)
    half.replace(path)
