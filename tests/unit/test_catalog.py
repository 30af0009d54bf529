import gc
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from jobs import GenerateImages, TrainGan, catalog
from jobs.errors import InvalidSpec
from jobs.local import run_locally
from jobs.spec import JobSpec


def test_every_kind_is_found() -> None:
    assert catalog.kinds()["gan.train"] is TrainGan
    assert catalog.kinds()["gan.generate"] is GenerateImages


@pytest.mark.parametrize("kind", [k for k, spec in catalog.kinds().items() if spec.__module__[:5] == "jobs."])
def test_every_kind_says_what_it_is_and_what_its_fields_mean(kind: str) -> None:
    spec = catalog.kinds()[kind]
    assert spec.__doc__
    for name, field in spec.model_fields.items():
        assert field.description, f"{kind}: {name}"
    for name, field in spec.result_type.model_fields.items():
        assert field.description, f"{kind}: {name}"


@pytest.mark.parametrize(
    "spec",
    [
        TrainGan(
            architecture="mlp", epochs=3, generator_units=(5, 6), learning_rate=1, seed=2**31 - 1, pool="gpu"
        ),
        GenerateImages(model="job-1", count=3),
    ],
)
def test_a_spec_survives_the_wire(spec: JobSpec) -> None:  # type: ignore[type-arg]
    assert catalog.parse(spec.to_wire()) == spec


def test_an_unknown_kind_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InvalidSpec, match=r"unknown kind 'gan\.trian': .*did you mean 'gan\.train'\?"):
        catalog.parse({"kind": "gan.trian"})


def test_a_spec_without_a_kind_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="needs a field 'kind'"):
        catalog.parse({"epochs": 3})


def test_a_room_of_a_family_is_found_and_runs(tmp_path: Path) -> None:
    spec = catalog.parse({"kind": "trial.annex.count", "word": "rooms"})
    assert run_locally(spec, tmp_path).model_dump() == {"letters": 5}


def test_two_packages_that_claim_a_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("gan", "triptych_trial", catalog.ENTRY_POINTS)
    monkeypatch.setattr(catalog, "entry_points", lambda group: [entry])
    with pytest.raises(
        InvalidSpec, match=r"family 'gan' of 'triptych_trial' is defined already, by 'jobs\.gan'"
    ):
        catalog.applications.__wrapped__()


def test_a_room_of_another_distribution_joins_a_technique(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("gan.annex", "triptych_trial.annex", catalog.ENTRY_POINTS)
    monkeypatch.setattr(catalog, "entry_points", lambda group: [entry])
    assert catalog.applications.__wrapped__()["gan.annex"] == "triptych_trial.annex"


def test_the_digest_of_a_kind_covers_its_code_and_no_other_application() -> None:
    """Else a change in one of them would make `reuse` compute all others again."""
    applications = {package: name for name, package in catalog.applications().items()}
    for kind in catalog.kinds():
        modules = catalog.modules_of(kind)
        mine = catalog.applications()[catalog.application_of(kind)]
        assert f"{mine}.spec" in modules
        assert "jobs.spec" in modules
        files = [name for name, path in modules.items() if path.name != "__init__.py"]
        owners = {applications.get(name.rpartition(".")[0]) for name in files} - {None}
        assert owners == {catalog.application_of(kind)}, kind


def test_the_digest_of_a_kind_changes_with_what_it_imports(tmp_path: Path) -> None:
    package = tmp_path / "my_package"
    package.mkdir()
    for name in ("__init__", "near", "far", "other"):
        (package / f"{name}.py").write_text('"""Nothing."""\n')
    (package / "near.py").write_text("def late():\n    from . import far\n")
    (package / "spec.py").write_text(
        "from jobs.spec import *\nclass Result(JobResult):\n    pass\n"
        "class Some(JobSpec[Result], kind='some.thing'):\n    pass\n"
    )
    (package / "thing.py").write_text("from my_package.near import late\n")
    program = (
        "import importlib.metadata as m\n"
        "entry = m.EntryPoint('some', 'my_package', 'triptych.families')\n"
        "import jobs.catalog as c; c.entry_points = lambda group: [entry]; print(c.code_digest('some.thing'))"
    )

    def digest() -> str:
        paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
        return subprocess.check_output(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": paths}, text=True
        )

    before = digest()
    (package / "other.py").write_text('"""Something."""\n')
    assert digest() == before
    (package / "far.py").write_text('"""Something."""\n')
    assert digest() != before


def test_threads_find_the_modules_of_a_kind_side_by_side() -> None:
    def yields(phase: str, found: dict[str, int]) -> None:
        time.sleep(0)  # in a collection, anywhere in a parser: another thread has its turn

    before = gc.get_threshold()
    gc.callbacks.append(yields)
    gc.set_threshold(50)
    try:
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(catalog.modules_of, ["gan.generate"] * 16))
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(yields)
    assert all(each == found[0] for each in found)


def test_a_client_imports_nothing_heavy() -> None:
    """In a fresh interpreter: everything that submitting and checking data needs."""
    program = (
        "import sys, jobs, jobs.checkpoints.file, jobs.context, jobs.local, jobs.pictures\n"
        "import jobs.catalog, jobs.datasets.images.named, jobs.datasets.images.packing\n"
        "jobs.catalog.kinds()\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'safetensors', 'sklearn', 'mlxtend', 'pandas'}\n"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
