import subprocess
import sys

import pytest

from jobs import GenerateImages, TrainGan, catalog
from jobs.errors import InvalidSpec
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


def test_a_client_imports_nothing_heavy() -> None:
    """In a fresh interpreter: everything that submitting and checking data needs."""
    program = (
        "import sys, jobs, jobs.checkpoint, jobs.context, jobs.local, jobs.pictures\n"
        "import jobs.catalog, jobs.datasets.named, jobs.datasets.packing\n"
        "jobs.catalog.kinds()\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'safetensors', 'sklearn', 'mlxtend', 'pandas'}\n"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
