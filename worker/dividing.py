"""What a runner does for a job: all of it, a part of it, or, of a divided one, its cuts and its joining."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jobs import catalog
from jobs.dividing import running as dividing
from jobs.dividing.parts import Part, PartResult, Piece, Wanted
from jobs.spec import JobResult, JobSpec
from scheduler.artifacts import ArtifactStore
from scheduler.division import PartName, fingerprint, read, write
from scheduler.keys import JobKeys, part_id
from scheduler.parts import Parts
from scheduler.record import Division
from scheduler.records import Records
from scheduler.workers import Workers
from worker.context import WorkerContext
from worker.runners import Assignment
from worker.uploads import patiently

logger = logging.getLogger(__name__)

#: Pieces that are fetched at once.
_FETCHERS = 8


class Divided(Exception):
    """The store names the parts of the job, which are to be done before it goes on."""


def carry_out(assignment: Assignment, context: WorkerContext) -> JobResult:
    """Does what an assignment asks for.

    Raises:
        Divided: there are parts to be done first.
    """
    spec: JobSpec[JobResult] = catalog.parse(assignment.spec)
    if assignment.part is not None:
        return dividing.compute(spec, context, Part(**assignment.part))
    if assignment.division is None:
        return catalog.run(spec, context)
    whole = Whole(assignment, context)
    if assignment.divided:
        return dividing.join(spec, context, whole.pieces())
    if whole.is_divided() or whole.plan(Division(**assignment.division)):
        raise Divided
    return catalog.run(spec, context)


class Whole:
    """A divided job, as its runner sees it.

    Args:
        assignment: of the job.
        context: of the job.
    """

    def __init__(self, assignment: Assignment, context: WorkerContext) -> None:
        self._assignment, self._context = assignment, context
        self._store: ArtifactStore = context.servers.store
        self._records: Records = context.servers.records

    def is_divided(self) -> bool:
        """Whether the store names its parts, of which Redis knows nothing: it has lost its data."""
        return patiently(lambda: self._store.exists(JobKeys(self._assignment.job_id).division))

    def plan(self, division: Division) -> bool:
        """Decides on the parts, and writes them into the store; False if one is as good."""
        job_id, spec = self._assignment.job_id, catalog.parse(self._assignment.spec)
        cuts = dividing.cuts(spec, self._context)
        count = cuts.wanted(division.parts, self._slots(division.parts, spec.pool))
        if count == 1:
            return False
        parts = cuts.parts(count)
        prints = [fingerprint(spec, self._assignment.inputs, part) for part in parts]
        left = Parts(self._records).left_by(prints) if division.reuse else {}
        names = [
            PartName(left.get(same) or part_id(job_id, part.number), part, same)
            for part, same in zip(parts, prints, strict=True)
        ]
        patiently(lambda: write(self._store, job_id, names))
        logger.warning("%d rows, %d parts, %d of them done by a job before", cuts.ends[-1], count, len(left))
        return True

    def pieces(self) -> list[Piece]:
        """What the parts have left, in the order of their rows."""
        names = patiently(lambda: read(self._store, self._assignment.job_id))
        with ThreadPoolExecutor(_FETCHERS, thread_name_prefix="pieces") as fetchers:
            return list(fetchers.map(self._piece, names))

    def _piece(self, name: PartName) -> Piece:
        keys = JobKeys(name.id)
        said = patiently(lambda: self._store.get_json(keys.result))["result"]
        folder = self._context.folder / "pieces" / f"{name.part.number:04d}"
        result = PartResult.model_validate({**said, "shards": tuple(said["shards"])})
        return Piece(name.part, result.facts, list(self._shards(keys, result, folder)))

    def _shards(self, keys: JobKeys, result: PartResult, folder: Path) -> Iterator[Path]:
        for shard in result.shards:
            key, path = keys.shard(shard), folder / shard
            yield patiently(lambda key=key, path=path: self._store.get_file(key, path))  # type: ignore[misc]

    def _slots(self, wanted: Wanted, pool: str) -> int:
        """Of the workers that take its parts."""
        if wanted != "auto":
            return 1
        workers = Workers(self._records.redis)
        serving = pool if pool != "any" else "gpu" if workers.gpu_lives() else "cpu"
        living = [worker.about for worker in workers.living()]
        return sum(about.slots for about in living if about.pool == serving and not about.draining)
