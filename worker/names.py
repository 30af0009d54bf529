"""Which object each name in a module is bound to, so that a job that binds one anew is found out."""

import sys
from collections.abc import Mapping, Set
from types import ModuleType
from typing import Any

#: Of whoever else may be there: modules whose names a job could bind anew to harm the next.
_WATCHED = frozenset({"builtins", "os", "sys", "io", "json", "math", "random", "pathlib", "numpy", "keras"})
_CONTAINERS = (list, dict, set, bytearray)

Marks = Mapping[str, Any]


class Names:
    """The names in the modules that are watched, as they are now.

    Args:
        own: packages that are looked at closely: how much is in their lists and tables, too, where a job may
            have put something.
    """

    def __init__(self, own: Set[str]) -> None:
        self._own = frozenset(own)
        self._marks: dict[str, Marks] = {}
        #: The same for a quick look, which finds nothing after most jobs: of each module what all names in it
        #: are bound to, and its containers with their sizes.
        self._quick: list[tuple[str, ModuleType, list[int], list[tuple[Any, int]]]] = []
        for name, module in list(sys.modules.items()):
            if (mine := name.partition(".")[0] in self._own) or name in _WATCHED:
                values = list(vars(module).values())
                held = [(each, len(each)) for each in values if mine and isinstance(each, _CONTAINERS)]
                self._marks[name] = _marks(vars(module), mine)
                self._quick.append((name, module, list(map(id, values)), held))
        self._modules = len(sys.modules)

    def same(self) -> bool:
        """Whether nothing at all is otherwise by now."""
        return self._modules == len(sys.modules) and all(
            sys.modules.get(name) is module
            and bound == list(map(id, vars(module).values()))
            and all(len(each) == size for each, size in held)
            for name, module, bound, held in self._quick
        )

    def bound_anew(self, now: "Names") -> str:
        """The first name that is bound to something else, or gone; empty if none is. New ones are fine."""
        for module, before in self._marks.items():
            if name := changed(before, now._marks.get(module, {})):
                return f"{module}.{name}"
        return ""


def changed(before: Marks, after: Marks) -> str:
    """The first name that has another mark now, or none any more; empty if there is none."""
    if before == after:
        return ""
    missing = object()
    return next((name for name, mark in before.items() if after.get(name, missing) != mark), "")


def _marks(space: Mapping[str, Any], mine: bool) -> Marks:
    return {
        name: (id(value), len(value)) if mine and isinstance(value, _CONTAINERS) else id(value)
        for name, value in space.items()
        if not isinstance(value, ModuleType) and (name[:2] != "__" if mine else name != "_")
    }
