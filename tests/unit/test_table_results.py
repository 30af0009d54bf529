"""Tables as results: the user's own times and names, and one file however the shards were cut."""

import csv
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from jobs.datasets.tables.reading import read_table
from jobs.datasets.tables.table import Table
from jobs.datasets.tables.writing import GROUP, Layout, TableShard, assemble

DAY = [*range(24)]
BACK = [0, 1, 2, *range(2, 24)]  # the clock that shows 02:00 twice


def shops(folder: Path) -> Table:
    path = folder / "shops.csv"
    rows = [
        f'"x ""{shop}"", y",{day:02d}.10.2024 {hour:02d}:00,{hour / 3},{hour}\n'
        for shop in range(3)
        for day, hours in ((26, DAY), (27, BACK))
        for hour in hours
    ]
    path.write_text('shop,when,"a,b",c\n' + "".join(rows))
    return read_table(path, time="when", series="shop", zone="Europe/Berlin", time_format="%d.%m.%Y %H:%M")


def written(table: Table, ends: tuple[int, ...], path: Path) -> bytes:
    layout = Layout.of(table, [("c", "number"), ("filled", "flag")])
    shards, first = [], 0
    for end in ends:
        shards.append(path.parent / f"{first}-{end}.parquet")
        shard = TableShard(shards[-1], layout)
        for number in range(first, end):
            values = table.rows(number)
            missing = np.where(values[:, 1] == 5, np.nan, values[:, 1] * 1e-12)
            shard.add([table.ids[number]] * len(values), table.times(number), *values.T, missing, missing > 0)
        shard.close()
        first = end
    assert assemble(shards, path, layout) == 3 * 49
    return path.read_bytes()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_result_is_the_same_bytes_however_its_shards_were_cut(tmp_path: Path, suffix: str) -> None:
    table = shops(tmp_path)
    whole, cut = (written(table, ends, tmp_path / f"out.{suffix}") for ends in ((3,), (1, 2, 3)))
    assert whole == cut


def test_a_csv_has_the_times_and_names_of_the_user_s_own_table(tmp_path: Path) -> None:
    written(shops(tmp_path), (3,), tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["shop", "when", "a,b", "c", "c_", "filled"]
    assert rows[1] == ['x "0", y', "26.10.2024 00:00", "0", "0", "0", "false"]
    assert rows[6] == ['x "0", y', "26.10.2024 05:00", repr(5 / 3), "5", "", "false"]
    assert [row[1] for row in rows[26:30]] == [f"27.10.2024 {hour:02d}:00" for hour in (1, 2, 2, 3)]


def test_parquet_has_moments_in_the_zone_and_reads_back_as_the_same_table(tmp_path: Path) -> None:
    table = shops(tmp_path)
    written(table, (3,), tmp_path / "out.parquet")
    schema = parquet.read_schema(tmp_path / "out.parquet")
    assert schema.field("when").type == pyarrow.timestamp("us", tz="Europe/Berlin")
    again = read_table(tmp_path / "out.parquet", time="when", series="shop")
    assert np.array_equal(again.values[:, :2], table.values)
    assert (again.step, again.ids, again.calendar.zone) == (table.step, table.ids, "Europe/Berlin")
    assert np.array_equal(again.starts, table.starts)


def test_many_rows_are_written_in_groups_that_do_not_depend_on_the_shards(tmp_path: Path) -> None:
    rows = GROUP + 10
    table = Table.read(folder_of(rows, tmp_path))
    layout = Layout.of(table)
    found = []
    for ends in ((rows,), (7, GROUP - 1, rows)):
        shards, first = [], 0
        for end in ends:
            shards.append(tmp_path / f"{first}-{end}.parquet")
            shard = TableShard(shards[-1], layout)
            shard.add(table.times(0, first, end - first), table.values[first:end, 0])
            shard.close()
            first = end
        assemble(shards, tmp_path / "out.parquet", layout)
        found.append((tmp_path / "out.parquet").read_bytes())
    assert found[0] == found[1]
    assert parquet.ParquetFile(tmp_path / "out.parquet").metadata.num_row_groups == 2


def folder_of(rows: int, folder: Path) -> Path:
    path = folder / "long.csv"
    path.write_text("t,a\n" + "".join(f"{1_700_000_000 + 60 * n},{n}\n" for n in range(rows)))
    stored = folder / "stored"
    stored.mkdir()
    read_table(path).write(stored)
    return stored


@pytest.mark.parametrize(
    ("times", "texts"),
    [
        (("2024-01-01T00:00Z", "2024-01-01T01:00Z"), "2024-01-01T02:00Z"),
        (("2024-01-01 00:00:00+0530", "2024-01-01 01:00:00+0530"), "2024-01-01 02:00:00+0530"),
        (("1700000000", "1700003600"), "1700007200"),
        (("1700000000000", "1700000000500"), "1700000001000"),
        (("2024-01-01 00:00:00.250", "2024-01-01 00:00:00.750"), "2024-01-01 00:00:01.250000"),
        (("20240101", "20240102"), "2024-01-03 00:00:00"),
        (("2024-01", "2024-02"), "2024-03"),
        (("2022", "2023"), "2024"),
        (("2024-01-01 07", "2024-01-01 08"), "2024-01-01 09"),
    ],
)
def test_times_go_on_in_the_form_in_which_they_were_written(
    tmp_path: Path, times: tuple[str, str], texts: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("".join(f"{time},{n}\n" for n, time in zip(("t", *times), ("a", 1, 2), strict=True)))
    table = read_table(path)
    assert table.calendar.texts(table.times(0, 2, 1)) == [texts]


def test_a_form_that_cannot_tell_the_rows_apart_is_left(tmp_path: Path) -> None:
    from jobs.datasets.tables.step import Step

    path = tmp_path / "t.csv"
    path.write_text("t,a\n2024-01-01,1\n2024-01-02,2\n")
    table = read_table(path, step=Step.parse("1h"))
    assert table.calendar.texts(table.times(0, 1, 1)) == ["2024-01-01 01:00:00"]
