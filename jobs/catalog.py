"""Finds the applications of each technique, and runs a spec.

An application is a package with a module `spec` (its specs; imports nothing heavy) and one module an action,
named after the last part of the kind, with a function `run(spec, context)`: `gan.train` is
`jobs/gan/train.py`, `transformer.answering.train` is `jobs/transformer/answering/train.py`. Applications are
the packages in this folder, the rooms in them, and whatever other distributions name under the entry point
group `triptych.families`: a technique with its rooms (`numbers`), or a room of a technique (`gan.comics`).
"""

import ast
import hashlib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from inspect import getmembers, isclass
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any

from jobs.datasets.readable import one_line
from jobs.errors import InvalidSpec
from jobs.imports import import_large
from jobs.spec import SHOWN, JobResult, JobSpec, ResultT

if TYPE_CHECKING:
    from jobs.context import JobContext  # brings NumPy, which naming kinds does not need

ENTRY_POINTS = "triptych.families"
AnySpec = JobSpec[Any]

#: What names or finds everything, so that everything would depend on everything through it.
_OF_ALL = frozenset({"jobs", "jobs.catalog"})
#: Python's parser counts its depth for all threads together, and fails where one interrupts another:
#: https://github.com/python/cpython/issues/106905.
_PARSING = Lock()


@cache
def applications() -> Mapping[str, str]:
    """The package of every application, by its name: `gan`, `transformer.answering`.

    Raises:
        InvalidSpec: two packages claim the same name.
    """
    found: dict[str, str] = {}
    for technique in sorted(Path(__file__).parent.iterdir()):
        found |= _with_rooms(technique.name, f"jobs.{technique.name}", technique)
    for entry in entry_points(group=ENTRY_POINTS):
        for name, package in _with_rooms(entry.name, entry.value, _folder_of(entry.value)).items():
            if name in found:
                raise InvalidSpec(
                    f"the family {name!r} of {package!r} is defined already, by {found[name]!r}"
                )
            found[name] = package
    return found


def application_of(kind: str) -> str:
    """The application that a kind belongs to: `gan` for `gan.train`."""
    return kind.rpartition(".")[0]


def technique_of(kind: str) -> str:
    """The technique of a kind or an application: `transformer` for `transformer.answering.train`."""
    return kind.partition(".")[0]


def about_application(application: str) -> str:
    """What an application is, in the first line of its package."""
    return (import_module(applications()[application]).__doc__ or "").strip().partition("\n")[0]


def _with_rooms(name: str, package: str, folder: Path) -> dict[str, str]:
    """The packages with a module `spec` in a folder: it itself, and those one level below."""
    rooms = {f"{name}.{path.parent.name}": path.parent.name for path in sorted(folder.glob("*/spec.py"))}
    itself = {name: package} if (folder / "spec.py").is_file() else {}
    return itself | {application: f"{package}.{room}" for application, room in rooms.items()}


def _folder_of(package: str) -> Path:
    """Where a package is, without importing more than its first name.

    Raises:
        InvalidSpec: there is none.
    """
    top, *rest = package.split(".")
    found = find_spec(top)
    if found is None or not found.submodule_search_locations:
        raise InvalidSpec(f"the family {package!r} of the entry points {ENTRY_POINTS} is not a package")
    return Path(next(iter(found.submodule_search_locations)), *rest)


@cache
def kinds() -> Mapping[str, type[AnySpec]]:
    """Every kind of job with its spec, in the order of their names."""
    found = {kind: spec for application in applications() for kind, spec in kinds_of(application).items()}
    return dict(sorted(found.items()))


@cache
def kinds_of(application: str) -> Mapping[str, type[AnySpec]]:
    """The kinds of one application, with their specs; none if there is no such application."""
    if application not in applications():
        return {}
    members = getmembers(import_module(f"{applications()[application]}.spec"), isclass)
    specs = [member for _, member in members if issubclass(member, JobSpec)]
    return {spec.kind: spec for spec in specs if application_of(spec.kind) == application}


def spec_type(kind: str) -> type[AnySpec]:
    """The class of a kind.

    Raises:
        InvalidSpec: there is no such kind; the text names the ones there are.
    """
    # Of its application alone: a command that shows one job need not import the specs of all.
    if (found := kinds_of(application_of(kind)).get(kind)) is not None:
        return found
    near = get_close_matches(kind, kinds(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InvalidSpec(f"unknown kind {one_line(repr(kind), SHOWN)}: the kinds are {', '.join(kinds())}{hint}")


def checked_divisible(kind: str) -> None:
    """Refuses a kind that cannot be divided into parts.

    Raises:
        InvalidSpec: the text names those that can.
    """
    if not spec_type(kind).divisible:
        able = ", ".join(name for name, spec in kinds().items() if spec.divisible)
        raise InvalidSpec(f"{kind} cannot be divided into parts; the kinds that can are {able}")


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
    """Specs of a kind that are done in seconds, for tests over the catalogue: `SMALLEST` of its application.

    Raises:
        InvalidSpec: its application names none.
    """
    package = applications()[application_of(kind)]
    named: tuple[AnySpec, ...] = getattr(import_module(f"{package}.spec"), "SMALLEST", ())
    if found := [spec for spec in named if spec.kind == kind]:
        return found
    raise InvalidSpec(f"{package}.spec names no spec of {kind} in SMALLEST: give one that is done in seconds")


def package_of(kind: str) -> str:
    """The first name of the package that a kind's code is in: `jobs`, or another distribution's."""
    return _action(kind).partition(".")[0]


def action(kind: str) -> ModuleType:
    """The module that does the work of a kind."""
    import_large(spec_type(kind).imports)
    return import_module(_action(kind))


def _action(kind: str) -> str:
    application, _, name = kind.rpartition(".")
    return f"{applications()[application]}.{name}"


def run(spec: JobSpec[ResultT], context: "JobContext") -> ResultT:
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
    """SHA-256 of the code that a kind's result depends on: all that its action imports, near and far.

    A change in one application leaves the digests of others as they are.
    """
    digest = hashlib.sha256()
    for name, path in sorted(modules_of(kind).items()):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def modules_of(kind: str) -> Mapping[str, Path]:
    """The modules of `jobs`, and of the kind's own package, that its action imports, with their files.

    They are read, not imported: whoever asks may have no TensorFlow.
    """
    action = _action(kind)
    roots = {top: _folder_of(top) for top in ("jobs", action.partition(".")[0])}
    found: dict[str, Path] = {}
    waiting = [action, f"{action.rpartition('.')[0]}.spec"]
    while waiting:
        name = waiting.pop()
        if name in _OF_ALL or name in found or (path := _file_of(name, roots)) is None:
            continue
        found[name] = path
        waiting += [name.rpartition(".")[0], *_imported(name, path)]
    return found


def _file_of(module: str, roots: Mapping[str, Path]) -> Path | None:
    top, *rest = module.split(".")
    if top not in roots:
        return None
    path = roots[top].joinpath(*rest)
    candidates = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((each for each in candidates if each.is_file()), None)


def _imported(module: str, path: Path) -> Iterator[str]:
    """What may be modules among the names that a file imports, wherever in it."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            around = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*around, *([node.module] if node.module else [])])
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _parsed(path: Path) -> ast.Module:
    with _PARSING:
        return ast.parse(path.read_bytes())
