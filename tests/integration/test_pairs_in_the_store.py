"""Pairs of images, and names of files: uploaded, listed, pinned, refused where something else is wanted."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from jobs import TrainStyle
from jobs.datasets.pairs.pairs import Pairs
from jobs.errors import BadInput, InvalidSpec
from scheduler.artifacts import ArtifactStore
from scheduler.cli.commands import app
from scheduler.datasets import DataSets
from scheduler.inputs import pinned
from worker.datasets import DataSetCache


def write(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 10), number, np.uint8)).save(folder / f"{name}.png")
    return folder


def test_pairs_are_uploaded_listed_and_pinned(
    sets: DataSets, store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "own", "A/one", "A/two", "B/one", "B/two")
    monkeypatch.setattr("scheduler.client.Client", lambda: SimpleNamespace(datasets=sets))
    result = CliRunner().invoke(app, ["datasets", "upload", "own", str(folder), "--as", "pairs"])
    assert "own: 2 pairs of images of 8×10, " in result.stdout
    assert "2 pairs of the same names: A is the source, B the target" in result.stdout
    info = sets.get("own")
    assert (info.content, info.count, info.shape) == ("pairs", 2, (8, 10, 1))
    spec = TrainStyle(method="pix2pix", pairs="own")
    assert pinned(spec, sets)[1] == {"own": info.digest}
    found = DataSetCache(store, tmp_path / "cache").files("own", {"own": info.digest}, None)
    assert Pairs.open(found).names == ("one", "two")
    halves = sets.upload("halves", folder / "A", content="side-by-side")
    assert halves.shape == (8, 5, 1)
    assert "digit-edges" in CliRunner().invoke(app, ["datasets", "list"], env={"COLUMNS": "250"}).stdout
    with pytest.raises(BadInput, match="size, range and pages are all that can be said of them"):
        sets.upload("own", folder, content="pairs", delimiter=";")
    with pytest.raises(InvalidSpec, match="takes a set of pairs, and 'digits' is a data set of images"):
        pinned(TrainStyle(method="pix2pix", pairs="digits"), sets)
    with pytest.raises(InvalidSpec, match="takes a data set of images, and 'own' is a set of pairs"):
        pinned(TrainStyle(source="own"), sets)


def test_names_of_files_stay_with_the_upload_and_do_not_change_with_a_second_one(
    sets: DataSets, store: ArtifactStore, tmp_path: Path
) -> None:
    first = sets.upload("own", write(tmp_path / "first", "b", "c"))
    other = sets.upload("other", write(tmp_path / "other", "x", "y"))
    again = sets.upload("own", write(tmp_path / "again", "d", "e"))
    assert first.digest == other.digest == again.digest
    assert any("uploaded before, with other names of files" in note for note in again.notes)
    cache = DataSetCache(store, tmp_path / "cache")
    assert cache.load("own", {"own": first.digest}).names == ("b", "c")
    assert cache.load("other", {}).names == ("x", "y")
    assert cache.load("digits", {}).names == ()
