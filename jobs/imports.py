"""TensorFlow and Keras without what Keras imports only because it is installed.

Keras offers itself to scikit-learn, takes tables of pandas and shows pictures by pyplot. It imports all three
if it can, which takes a third of the time that TensorFlow takes to import, and 150 MB; no job needs them for
that. Here they are missing for Keras, and can be imported by everybody else, then and later.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from threading import get_ident
from types import ModuleType

#: What jobs with networks import slowly: a process that waits for one has it already (`JobSpec.imports`).
OF_NETWORKS = (
    "tensorflow",
    "keras",
    "safetensors.numpy",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
)
#: What is imported without these, unless they are there already.
_LARGE = ("tensorflow", "keras")
_NEEDLESS = frozenset({"matplotlib", "pandas", "sklearn"})


def import_large(names: Iterable[str]) -> None:
    """Imports TensorFlow and Keras, those of them that are named and installed, and no other.

    Whoever wants one of the packages for Keras, too, names it.
    """
    named = frozenset(names)
    for name in _LARGE:
        if name in named and name not in sys.modules:
            with _missing(_NEEDLESS - named), suppress(ImportError):  # whoever needs it says it better
                import_module(name)


class _Missing(MetaPathFinder):
    """Finds that some packages are not installed, for the imports of the thread that made it."""

    def __init__(self, packages: frozenset[str]) -> None:
        self._packages = packages
        self._thread = get_ident()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None, which leaves it to the other finders.

        Raises:
            ModuleNotFoundError: it is one of the packages.
        """
        if name in self._packages and get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is not imported for Keras, see {__name__}", name=name)
        return None


@contextmanager
def _missing(packages: frozenset[str]) -> Iterator[None]:
    finder = _Missing(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
