"""Does what a divisible kind declares (`jobs.dividing.parts`), and a whole divided job in a folder."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from jobs import catalog
from jobs.context import JobContext
from jobs.dividing.parts import Cuts, Part, PartResult, Piece, Wanted, checked_wanted
from jobs.extending.siblings import Siblings
from jobs.local import LocalContext
from jobs.spec import JobResult, JobSpec, ResultT

T = TypeVar("T")

#: Folder of the parts, in that of the job.
PARTS = "parts"


def cuts(spec: JobSpec[Any], context: JobContext) -> Cuts:
    """Where a job may be cut."""
    found = catalog.action(spec.kind).cuts(spec, context)
    if not isinstance(found, Cuts):
        raise TypeError(f"cuts of {spec.kind} returned {type(found).__name__}, not Cuts")
    return found


def compute(spec: JobSpec[Any], context: JobContext, part: Part) -> PartResult:
    """Computes the rows of a part."""
    result = catalog.action(spec.kind).compute(spec, context, part)
    if not isinstance(result, PartResult):
        raise TypeError(f"compute of {spec.kind} returned {type(result).__name__}, not a PartResult")
    return result


def join(spec: JobSpec[ResultT], context: JobContext, pieces: Sequence[Piece]) -> ResultT:
    """Puts the parts together."""
    result: ResultT = catalog.action(spec.kind).join(spec, context, pieces)
    if not isinstance(result, JobResult):
        raise TypeError(f"join of {spec.kind} returned {type(result).__name__}, not a JobResult")
    return result


class PartContext(LocalContext):
    """A part in a folder of its own; the files that people come for go to the whole's.

    Args:
        folder: of the part.
        data: paths of data sets by name.
        held: what earlier parts have loaded in this process, by its digest; this one adds to it.
    """

    def __init__(
        self, folder: Path, data: Mapping[str, Path] | None = None, held: dict[str, Any] | None = None
    ) -> None:
        super().__init__(folder, data)
        self._whole = folder.parent.parent
        self._others = Siblings(self._whole.absolute().parent)
        self._held = {} if held is None else held

    def in_memory(self, digest: str, load: Callable[[], tuple[T, int]]) -> T:
        """See `JobContext.in_memory`: a model is loaded for the first part, as in a worker's process."""
        if digest not in self._held:
            self._held[digest] = super().in_memory(digest, load)
        found: T = self._held[digest]
        return found


def run_divided(
    spec: JobSpec[ResultT],
    folder: Path,
    parts: Wanted,
    data: Mapping[str, Path] | None = None,
    slots: int = 1,
    context: type[PartContext] = PartContext,
) -> ResultT:
    """Runs a spec in a folder, one part after the other, and puts them together.

    Parts that are done are not done again.

    Args:
        spec: what to compute.
        folder: where everything goes; made if it is not there.
        parts: how many, as `Cuts.wanted` has it.
        data: paths of data sets by name.
        slots: for "auto".
        context: what a part sees.

    Raises:
        InvalidSpec: the kind cannot be divided, or there is no such number of parts.
        BadInput: the job cannot be done.
    """
    catalog.checked_divisible(spec.kind)
    with LocalContext(folder, data) as whole:
        found = cuts(spec, whole)
        stretches = found.parts(found.wanted(checked_wanted(parts), slots))
        held: dict[str, Any] = {}
        return join(spec, whole, [_piece(spec, folder, part, data, context, held) for part in stretches])


def _piece(
    spec: JobSpec[Any],
    folder: Path,
    part: Part,
    data: Mapping[str, Path] | None,
    context: type[PartContext],
    held: dict[str, Any],
) -> Piece:
    place = folder / PARTS / f"{part.number:04d}"
    said = place / "result.json"
    if not said.exists():
        place.mkdir(parents=True, exist_ok=True)
        (place / "spec.json").write_text(json.dumps(spec.to_wire()))
        (place / "part.json").write_text(json.dumps(asdict(part)))
        with context(place, data, held) as running:
            result = compute(spec, running, part)
        said.write_text(result.model_dump_json())
    result = PartResult.model_validate_json(said.read_text())
    return Piece(part, result.facts, [place / "shards" / name for name in result.shards])
