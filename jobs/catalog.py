"""Finds the families of jobs, and runs a spec.

A family is a package with a module `spec` (its specs; imports nothing heavy) and one module an action,
named after the second half of the kind, with a function `run(spec, context)`. Families are the packages in
this folder and whatever other distributions name under the entry point group `triptych.families`.
"""

import hashlib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from inspect import getmembers, isclass
from pathlib import Path
from types import ModuleType
from typing import Any

from jobs.context import JobContext
from jobs.errors import InvalidSpec
from jobs.spec import JobResult, JobSpec, ResultT

ENTRY_POINTS = "triptych.families"
AnySpec = JobSpec[Any]


@cache
def families() -> Mapping[str, str]:
    """The package of every family, by the family's name."""
    here = Path(__file__).parent
    found = {path.parent.name: f"jobs.{path.parent.name}" for path in sorted(here.glob("*/spec.py"))}
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name in found:
            raise InvalidSpec(
                f"the family {entry.name!r} of {entry.value!r} is defined already, by {found[entry.name]!r}"
            )
        found[entry.name] = entry.value
    return found


@cache
def kinds() -> Mapping[str, type[AnySpec]]:
    """Every kind of job with its spec, in the order of their names."""
    found: dict[str, type[AnySpec]] = {}
    for family, package in families().items():
        for _, member in getmembers(import_module(f"{package}.spec"), isclass):
            if issubclass(member, JobSpec) and member.kind.partition(".")[0] == family:
                found[member.kind] = member
    return dict(sorted(found.items()))


def spec_type(kind: str) -> type[AnySpec]:
    """The class of a kind.

    Raises:
        InvalidSpec: there is no such kind; the text names the ones there are.
    """
    if (found := kinds().get(kind)) is not None:
        return found
    near = get_close_matches(kind, kinds(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InvalidSpec(f"unknown kind {kind!r}: the kinds are {', '.join(kinds())}{hint}")


def parse(data: Mapping[str, Any]) -> AnySpec:
    """The spec in JSON data that carries its kind, as `JobSpec.to_wire` writes it.

    Raises:
        InvalidSpec: no kind, an unknown kind, or fields that the kind refuses.
    """
    fields = dict(data)
    kind = fields.pop("kind", None)
    if not isinstance(kind, str):
        raise InvalidSpec(f"a spec needs a field 'kind': one of {', '.join(kinds())}")
    return spec_type(kind).model_validate(fields)


def smallest(kind: str) -> list[AnySpec]:
    """Specs of a kind that are done in seconds, for tests over the catalogue: `SMALLEST` of its family.

    Raises:
        InvalidSpec: its family names none.
    """
    package = families()[kind.partition(".")[0]]
    named: tuple[AnySpec, ...] = getattr(import_module(f"{package}.spec"), "SMALLEST", ())
    if found := [spec for spec in named if spec.kind == kind]:
        return found
    raise InvalidSpec(f"{package}.spec names no spec of {kind} in SMALLEST: give one that is done in seconds")


def action(kind: str) -> ModuleType:
    """The module that does the work of a kind."""
    family, _, name = kind.partition(".")
    return import_module(f"{families()[family]}.{name}")


def run(spec: JobSpec[ResultT], context: JobContext) -> ResultT:
    """Does the work of a spec and returns its result.

    Raises:
        BadInput: the job cannot be done with what it was given.
        Diverged: training left the finite numbers.
        Stopped: it was asked to stop, and did, at a step boundary.
    """
    module = action(spec.kind)
    result: ResultT = module.run(spec, context)
    if not isinstance(result, JobResult):
        raise TypeError(f"{module.__name__}.run returned {type(result).__name__}, not a JobResult")
    return result


@cache
def code_digest(kind: str) -> str:
    """SHA-256 of the code that a kind's result depends on: its family's, and the parts that all share."""
    family = Path(import_module(families()[kind.partition(".")[0]]).__path__[0])
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*here.glob("*.py"), *here.glob("datasets/*.py"), *family.rglob("*.py")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
