"""Tables with time: what is read, what is refused with its row, what is made regular, and said."""

from pathlib import Path

import numpy as np
import pytest

from jobs.datasets.tables.reading import read_table
from jobs.datasets.tables.step import Step
from jobs.datasets.tables.table import Table
from jobs.errors import BadInput, InvalidSpec


def written(folder: Path, text: str, name: str = "table.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


HOURS = "time,a,b\n" + "".join(f"2024-01-01 {hour:02d}:00:00,{hour},{hour / 2}\n" for hour in range(6))


def test_a_wide_table_is_read_with_its_step_and_comes_back_from_a_folder(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, HOURS))
    assert (table.columns, len(table), str(table.step)) == (("a", "b"), 6, "1h")
    assert table.calendar.texts(table.times(0, 5, 2)) == ["2024-01-01 05:00:00", "2024-01-01 06:00:00"]
    folder = tmp_path / "stored"
    folder.mkdir()
    table.write(folder)
    again = Table.read(folder)
    assert (again.columns, again.step, again.calendar, again.ids) == (
        table.columns,
        table.step,
        table.calendar,
        table.ids,
    )
    assert np.array_equal(again.values, table.values)


def test_a_long_table_keeps_each_series_together(tmp_path: Path) -> None:
    text = "time,shop,sales\n2024-01-01,b,1\n2024-01-01,a,5\n2024-01-02,b,2\n2024-01-02,a,6\n2024-01-03,a,7\n"
    table = read_table(written(tmp_path, text), series="shop")
    assert table.ids == ("b", "a")
    assert [table.rows(n)[:, 0].tolist() for n in (0, 1)] == [[1, 2], [5, 6, 7]]
    assert table.calendar.texts(table.times(1)) == ["2024-01-01", "2024-01-02", "2024-01-03"]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("2024-01-01,1\n2024-01-02,2\n2024-01-02,3\n", r"row 4 has the time of the row before it, 2024"),
        ("2024-01-01,1\n2024-01-03,2\n2024-01-02,3\n", r"row 4 is before the row above it"),
        ("2024-01-01,1\n2024-01-02,2\n2024-01-03,2\n2024-01-05,3\n", r"row 5: .*rows are 1d .*1 place\)"),
        ("2024-01-01,1\n2024-01-02,x\n", r"row 3, column 'a': 'x' is not a number"),
        ("2024-01-01,1\nyesterday,2\n", r"row 3: 'yesterday' is not a time"),
        ("2024-01-01,1\n,2\n", r"row 3 has no time"),
        ("2024-01-01,1\n2024-01-02,inf\n", r"row 3, column 'a': 'inf' is not finite"),
        ("2024-01-01,1\n2024-01-02,-1e308\n", r"row 3, column 'a': '-1e308' is too large: .* to 1e\+100"),
        ("2024-01-01,1\n2024-01-02,1_00\n", r"row 3, column 'a': '1_00' is not a number"),
        ("2024-01-01,1\n2024-01-02,\u0661\n", r"row 3, column 'a': '\u0661' is not a number"),
        ("2024-01-01,1\n2024-01-02,2,3\n", r"row 3: 3 cells where there are 2 columns"),
        ("2024-01-01,\n2024-01-02,\n", r"no column holds numbers: column 'a' is left out: it is empty"),
        ("", r"has no row"),
        ("2024-01-01,1\n", r"needs two rows"),
    ],
)
def test_what_is_not_regular_is_refused_with_its_row(tmp_path: Path, rows: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        read_table(written(tmp_path, f"date,a\n{rows}"))


def test_rows_are_made_regular_when_that_is_asked_for_and_counted(tmp_path: Path) -> None:
    text = "time,a\n2024-01-01 03:00,4\n2024-01-01 00:10,1\n2024-01-01 00:50,2\n2024-01-01 01:00,3\n"
    table = read_table(written(tmp_path, text), step=Step.parse("1h"))
    assert np.array_equal(table.values[:, 0], [1.5, 3, np.nan, 4], equal_nan=True)
    assert "made regular, 1h apart: 1 rows were made, 1 joined others, 2 times moved" in table.remarks[-1]


@pytest.mark.parametrize("hours", [1, 6])
def test_rows_that_are_made_regular_are_two_of_a_series_at_least(tmp_path: Path, hours: int) -> None:
    text = "".join(HOURS.splitlines(keepends=True)[: 1 + hours])
    with pytest.raises(BadInput, match=r"--regularise 100y makes a single row of each series: .* two rows"):
        read_table(written(tmp_path, text), step=Step.parse("100y"))


def test_a_value_of_all_rows_is_told_from_one_of_a_few(tmp_path: Path) -> None:
    rows = "".join(f"2024-01-0{day},{day},7,{'3' if day in (2, 4) else ''}\n" for day in range(1, 6))
    table = read_table(written(tmp_path, "date,a,all,few\n" + rows))
    assert "column 'all' is 7 in all rows" in table.remarks
    assert "column 'few' is 3 where it has a value: in 2 of 5 rows" in table.remarks


MONDAYS = [f"2024-{day}" for day in ("01-01", "01-08", "01-22", "01-29")]
MONTH_ENDS = [f"2024-{day}" for day in ("01-31", "02-29", "04-30", "05-31")]


@pytest.mark.parametrize(
    ("times", "step", "zone", "made"),
    [
        (MONDAYS, "7d", None, "2024-01-15"),
        (MONTH_ENDS, "1month", None, "2024-03-31"),
        ([f"2024-{month}-15" for month in ("02", "05", "11")], "3month", None, "2024-08-15"),
        (["2024-03-30", "2024-03-31", "2024-04-02"], "1d", "Europe/Berlin", "2024-04-01"),
        (["2024-01-01 00:30", "2024-01-01 01:30", "2024-01-01 03:30"], "1h", None, "2024-01-01 02:30"),
    ],
)
def test_rows_that_are_made_lie_on_the_grid_of_the_others(
    tmp_path: Path, times: list[str], step: str, zone: str | None, made: str
) -> None:
    path = written(tmp_path, "time,a\n" + "".join(f"{time},{n}\n" for n, time in enumerate(times)))
    with pytest.raises(BadInput, match=f"--regularise {step} makes the missing rows"):
        read_table(path, zone=zone)
    table = read_table(path, zone=zone, step=Step.parse(step))
    texts = table.calendar.texts(table.times(0))
    assert texts == sorted([*times, made])
    assert np.isnan(table.values[texts.index(made), 0])
    assert "1 rows were made, 0 joined others, 0 times moved" in "; ".join(table.remarks)


def test_times_without_a_grid_of_their_own_are_put_on_that_of_the_clock(tmp_path: Path) -> None:
    days = [f"2024-01-{day:02d},{day}" for day in range(1, 31)]
    table = read_table(written(tmp_path, "\n".join(["time,a", *days, ""])), step=Step.parse("1w"))
    assert table.calendar.texts(table.times(0))[:2] == ["2024-01-01", "2024-01-08"]  # Mondays
    assert table.values[:, 0].tolist() == [4, 11, 18, 25, 29.5]


def test_months_of_any_length_are_a_step(tmp_path: Path) -> None:
    text = "month,a\n2023-11-30,1\n2023-12-31,2\n2024-01-31,3\n2024-02-29,4\n"
    table = read_table(written(tmp_path, text))
    assert str(table.step) == "1month"
    assert table.calendar.texts(table.times(0, 3, 3)) == ["2024-02-29", "2024-03-31", "2024-04-30"]
    firsts = read_table(written(tmp_path, "month,a\n2024-01,1\n2024-02,2\n2024-03,3\n"))
    assert firsts.calendar.texts(firsts.times(0, 2, 2)) == ["2024-03", "2024-04"]


BERLIN = [f"2024-03-31 {hour:02d}:00" for hour in (0, 1, *range(3, 24))]


def test_a_clock_that_is_put_forward_is_regular_once_its_place_is_known(tmp_path: Path) -> None:
    path = written(tmp_path, "time,a\n" + "".join(f"{time},{n}\n" for n, time in enumerate(BERLIN)))
    with pytest.raises(BadInput, match=r"daylight saving time.*--timezone"):
        read_table(path)
    table = read_table(path, zone="Europe/Berlin")
    assert str(table.step) == "1h"
    assert table.calendar.texts(table.times(0, 1, 2)) == ["2024-03-31 01:00", "2024-03-31 03:00"]


def test_an_hour_that_comes_twice_is_two_hours(tmp_path: Path) -> None:
    hours = [0, 1, 2, 2, 3, 4]
    path = written(tmp_path, "time,a\n" + "".join(f"2024-10-27 {hour:02d}:00,{hour}\n" for hour in hours))
    with pytest.raises(BadInput, match="row 5 has the time of the row before it"):
        read_table(path)
    assert len(read_table(path, zone="Europe/Berlin")) == 6
    with pytest.raises(BadInput, match="'Berlin' is not a time zone"):
        read_table(path, zone="Berlin")


def test_times_with_an_offset_keep_it(tmp_path: Path) -> None:
    text = "time,a\n2024-01-01T00:00:00+02:00,1\n2024-01-01T00:15:00+02:00,2\n"
    table = read_table(written(tmp_path, text))
    assert (str(table.step), table.calendar.zone) == ("15min", "+02:00")
    assert table.calendar.texts(table.times(0, 1, 1)) == ["2024-01-01T00:15:00+02:00"]


def test_seconds_since_1970_are_times_and_that_is_said(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "t;a\n1700000000;1,5\n1700003600;2,5\n"))
    assert table.values[:, 0].tolist() == [1.5, 2.5]
    assert "times are seconds since 1970, in UTC" in table.remarks
    assert "column 'a': the comma is taken for the decimal sign" in table.remarks


def test_an_ambiguous_form_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "date,a\n01.02.2024,1\n02.02.2024,2\n")
    with pytest.raises(BadInput, match="--time-format"):
        read_table(path)
    assert str(read_table(path, time_format="%d.%m.%Y").step) == "1d"


def test_columns_that_tell_nothing_are_named(tmp_path: Path) -> None:
    text = "date,a,name,empty,same\n2024-01-01,1,x,,7\n2024-01-02,NA,y,,7\n2024-01-03,3,z,,7\n"
    table = read_table(written(tmp_path, text))
    assert table.columns == ("a", "same")
    assert np.isnan(table.values[1, 0])
    said = "; ".join(table.remarks)
    assert "'name' is left out: it holds texts such as 'x'" in said
    assert "'empty' is left out: it is empty" in said
    assert "'same' is 7 in all rows" in said


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_spreadsheet_s_encoding_is_found_out(tmp_path: Path, encoding: str) -> None:
    assert read_table(written(tmp_path, HOURS, encoding=encoding)).columns == ("a", "b")


def test_an_empty_line_counts_where_a_row_is_named(tmp_path: Path) -> None:
    for row in ("2024-01-02,broken", "2024-01-01,2", "no time,2", "2024-01-02,inf"):
        with pytest.raises(BadInput, match="row 5"):
            read_table(written(tmp_path, f"time,a\n\n2024-01-01,1\n\n{row}\n2024-01-03,3\n"))


def test_another_encoding_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="save it as UTF-8"):
        read_table(written(tmp_path, "time,größe\n2024-01-01,1\n", encoding="latin-1"))


def test_series_that_are_not_told_apart_or_have_no_name_are_said_so(tmp_path: Path) -> None:
    rows = "".join(f"2024-01-0{day},{shop},1\n" for day in (1, 2, 3) for shop in ("a", "b"))
    with pytest.raises(BadInput, match=r"row 3 .* if column 'shop' tells series apart, say so: --series"):
        read_table(written(tmp_path, "time,shop,sold\n" + rows))
    with pytest.raises(BadInput, match="row 4 names no series in column 'shop'"):
        read_table(written(tmp_path, "time,shop,sold\n" + rows.replace("02,a", "02,")), series="shop")


def test_parquet_is_the_same_table(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    times = np.array([f"2024-01-01T{hour:02d}:00:00" for hour in range(6)], "datetime64[us]")
    parquet.write_table(
        pyarrow.table({"time": times, "a": np.arange(6), "b": np.arange(6) / 2}), tmp_path / "t.PARQUET"
    )
    table, text = read_table(tmp_path / "t.PARQUET"), read_table(written(tmp_path, HOURS))
    assert np.array_equal(table.values, text.values)
    assert (table.step, table.columns) == (text.step, text.columns)
    assert np.array_equal(table.starts, text.starts)


@pytest.mark.parametrize("text", ["", "h", "0h", "-1h", "1.5h", "1 fortnight"])
def test_what_is_no_step_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match="is not a step"):
        Step.parse(text)


@pytest.mark.parametrize("text", ["15min", "1h", "7d", "1month", "3month", "1y", "500ms"])
def test_a_step_is_written_as_it_is_read(text: str) -> None:
    assert str(Step.parse(text)) == text
