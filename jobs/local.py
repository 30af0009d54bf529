"""Runs a job in a folder: no queue, no store, no server. For tests, notebooks and `triptych run`."""

import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from jobs import catalog, checkpoint
from jobs.checkpoint import Checkpoint, DamagedCheckpoint, digest_of_spec
from jobs.context import Progress, StopReason
from jobs.errors import BadInput, InvalidSpec
from jobs.keeping import CheckpointName, Keeper, superfluous
from jobs.names import checked_name, checked_path
from jobs.sealed import seal, unseal
from jobs.spec import JobSpec, ResultT

if TYPE_CHECKING:
    from jobs.datasets.images import ImageSet

log = logging.getLogger(__name__)

#: Pieces of the result, for later attempts.
_SHARDS = "shards"


class LocalContext:
    """A `JobContext` in a folder, laid out as a job is in the artifact store.

    Use it in a `with` statement: leaving it waits for what is saved in the background.

    Args:
        folder: the job's folder; made if it is not there. Other jobs are the folders beside it.
        data: paths by name, before the named ones: of data sets (a folder of images, an `.npz`, a file of
            texts) and of checkpoints (a folder).
    """

    def __init__(self, folder: Path, data: Mapping[str, Path] | None = None) -> None:
        self._job = folder
        self._data = dict(data or {})
        self._job.mkdir(parents=True, exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix=".work-", dir=folder))
        self._saver = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._saving: Future[None] | None = None
        self._keeper = Keeper(attempt=1)  # a folder takes one attempt after the other; none writes late

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
        line = {
            "step": progress.step,
            "total": progress.total,
            "stage": progress.stage,
            **progress.metrics,
        }
        with self._metrics.open("a") as file:
            file.write(json.dumps(line) + "\n")

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
        _write(self._artifact(self._job, name), content)

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
        for name in reversed(self._checkpoints()):
            found = self._read(name)
            if found is not None:
                log.info("going on from step %d", found.step)
                self._drop_metrics_after(found.step)
                best = self._keeper.goes_on_from(name)
                return replace(found, best=self._read(best) if best else None)
        self._drop_metrics_after(0)
        return None

    def image_set(self, name: str) -> "ImageSet":
        """A data set of images: from the path given for the name, else a named one.

        Raises:
            BadInput: it cannot be had, or has no image.
        """
        from jobs.datasets import named, packing

        if name in self._data:
            return packing.pack(self._data[name])
        return named.load(name)

    def files(self, name: str, fetch: Callable[[Path], None] | None = None) -> Path:
        """See `JobContext.files`: from the path given for the name, else fetched anew.

        Raises:
            BadInput: there is no path for the name, and no way to fetch it.
        """
        folder = self._work / "files" / checked_name(name, "name of an upload")
        if folder.exists():
            return folder
        if (given := self._data.get(name)) is not None:
            if not given.exists():
                raise BadInput(f"there is no {given}, which was given for {name!r}")
            if given.is_dir():
                return given
            folder.mkdir(parents=True)
            (folder / given.name).symlink_to(given.absolute())
        elif fetch is not None:
            folder.mkdir(parents=True)
            fetch(folder)
        else:
            raise BadInput(f"there is no upload {name!r} here: say where it lies, with --data {name}=PATH")
        return folder

    def spec_of(self, job_id: str) -> JobSpec[Any]:
        """The spec of the job in the folder `job_id` beside this one.

        Raises:
            BadInput: there is no such folder, or no job in it.
        """
        return read_spec(self._sibling(job_id))

    def artifact_of(self, job_id: str, name: str) -> Path:
        """An artifact of the job in the folder `job_id` beside this one.

        Raises:
            BadInput: that job has no such artifact.
        """
        path = self._artifact(self._sibling(job_id), name)
        if not path.is_file():
            raise BadInput(f"job {job_id} has no artifact {name!r}; has it finished?")
        return path

    def save_data_set(self, name: str, images: "ImageSet") -> None:
        """Writes `datasets/<name>.npz`, in place of an earlier attempt's."""
        path = self._work / "images.npz"
        images.write(path)
        _write(self._job / "datasets" / f"{checked_name(name, 'data set name')}.npz", path)

    def cached(self, name: str, make: Callable[[], bytes]) -> bytes:
        """See `JobContext.cached`: kept in `.triptych-cache` beside this job, for the jobs beside it."""
        path = self._job.absolute().parent / ".triptych-cache" / checked_path(name, "cache entry")
        content = unseal(path.read_bytes()) if path.is_file() else None
        if content is None:
            content = make()
            _write(path, seal(content))
        return content

    @property
    def _metrics(self) -> Path:
        return self._job / "metrics.jsonl"

    def _shard(self, name: str) -> Path:
        return self._job / _SHARDS / checked_path(name, "shard name")

    def _sibling(self, job_id: str) -> Path:
        return self._job.absolute().parent / checked_name(job_id, "job id")

    @staticmethod
    def _artifact(job: Path, name: str) -> Path:
        return job / "artifacts" / checked_path(name, "artifact")

    def _checkpoints(self) -> list[CheckpointName]:
        """Whole or not, from the oldest to the newest."""
        found = (CheckpointName.parse(path.name) for path in self._file_of("").glob("[0-9]*"))
        return sorted(name for name in found if name is not None)

    def _file_of(self, checkpoint: CheckpointName | str) -> Path:
        return self._job / "checkpoints" / str(checkpoint)

    def _read(self, name: CheckpointName) -> Checkpoint | None:
        try:
            return checkpoint.read(self._file_of(name), digest_of_spec(read_spec(self._job)))
        except DamagedCheckpoint as error:
            log.warning("skipped a checkpoint: %s", error)
            return None

    def _keep(self, new: Checkpoint) -> None:
        self._file_of("").mkdir(exist_ok=True)
        for name, each in self._keeper.to_write(new):
            checkpoint.write(each, self._file_of(name))
        # Only after the new one is whole: until then the old ones are all there is.
        for old in superfluous(self._checkpoints()):
            self._file_of(old).unlink()

    def _drop_metrics_after(self, step: int) -> None:
        """Leaves the lines of steps that are done; they are written again when they are done again."""
        if not self._metrics.exists():
            return
        kept = []
        for line in self._metrics.read_text().splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (ValueError, KeyError):
                continue  # half a line: the process was killed while writing it
        _write(self._metrics, "".join(kept).encode())


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
        BadInput: the folder holds another spec's job, or the job cannot be done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "spec.json").exists():
        if read_spec(folder) != spec:
            raise BadInput(f"{folder} holds a job of another spec; choose another folder, or empty this one")
    else:
        _write(folder / "spec.json", json.dumps(spec.to_wire(), indent=2).encode())
    (folder / "result.json").unlink(missing_ok=True)
    with context(folder, data) as running:
        result = catalog.run(spec, running)
    _write(folder / "result.json", result.model_dump_json(indent=2).encode())
    shutil.rmtree(folder / _SHARDS, ignore_errors=True)  # only now: until then they are all there is
    return result


def read_spec(folder: Path) -> JobSpec[Any]:
    """The spec of the job in a folder.

    Raises:
        BadInput: the folder holds no job.
    """
    try:
        return catalog.parse(json.loads((folder / "spec.json").read_text()))
    except FileNotFoundError:
        raise BadInput(f"there is no job {folder.name!r} in {folder.parent}") from None
    except (ValueError, InvalidSpec) as error:
        raise BadInput(f"{folder / 'spec.json'} is not a spec: {error}") from error


def _write(path: Path, content: bytes | Path) -> None:
    """Writes a file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.half")
    if isinstance(content, Path):
        shutil.copyfile(content, half)
    else:
        half.write_bytes(content)
    half.replace(path)
