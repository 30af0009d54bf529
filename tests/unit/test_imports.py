"""TensorFlow and Keras come without packages that no job needs, and nobody else misses these."""

import subprocess
import sys

import pytest

from jobs import catalog, imports

pytest.importorskip("tensorflow")

ALONE = """
import sys
from jobs import catalog
catalog.action("gan.train")
print(*sorted({"matplotlib.pyplot", "pandas", "sklearn", "keras"} & sys.modules.keys()))
import matplotlib.pyplot, pandas, sklearn
print(len([each for each in sys.meta_path if type(each).__module__ == "jobs.imports"]))
"""


def said_by(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_keras_misses_what_no_job_needs_and_everybody_else_can_import_it() -> None:
    assert said_by(ALONE) == ["keras", "0"]


def test_what_is_named_is_not_kept_from_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[frozenset[str]] = []
    monkeypatch.setattr(imports, "import_module", lambda _: kept.append(sys.meta_path[0]._packages))  # type: ignore[attr-defined]
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    imports.import_large(["sklearn", "keras"])
    assert kept == [{"matplotlib", "pandas"}]


def test_what_is_imported_already_or_is_not_named_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    brought: list[str] = []
    monkeypatch.setattr(imports, "import_module", brought.append)
    monkeypatch.setattr(sys, "modules", {"keras": sys})
    imports.import_large(["keras", "json"])
    assert brought == []
    imports.import_large(["tensorflow", "json"])
    assert brought == ["tensorflow"]


def test_a_package_is_missing_for_one_thread_and_for_a_while() -> None:
    finder = imports._Missing(frozenset({"pandas"}))
    with pytest.raises(ModuleNotFoundError, match="not imported for Keras"):
        finder.find_spec("pandas", None)
    assert finder.find_spec("pandas.core", None) is None
    finder._thread += 1
    assert finder.find_spec("pandas", None) is None


def test_no_kind_names_what_keras_is_to_miss() -> None:
    named = {name for spec in catalog.kinds().values() for name in spec.imports}
    assert not named & imports._NEEDLESS
