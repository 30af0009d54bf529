"""A file of rows is taken for texts or for a table with time; where it may be either, a person is asked."""

from pathlib import Path

import pytest

from jobs.datasets.tables.named import load
from jobs.datasets.tables.telling import chosen, told
from jobs.datasets.telling import check_taken
from jobs.errors import BadInput


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("date,HUFL,OT\n2016-07-01 00:00:00,5.8,30.5\n2016-07-01 01:00:00,5.7,27.7\n", "table"),
        ("date;a;b\n01.02.2024;1,5;\n02.02.2024;2,5;\n", "table"),
        ("id,ds,y\n1,2024-01-01,2\n1,2024-01-02,3\n", "table"),
        ("year,co2\n1959,315.9\n1960,316.9\n", "table"),
        ("text,label\ngood,1\nbad,0\n", "texts"),
        ("number,size\n1,2\n3,4\n", "texts"),
        ("date,text\n2024-01-01,good\n2024-01-02,bad\n", "texts"),
        (
            "date,stars,review\n2024-01-01,5,I liked it very much indeed\n2024-01-02,1,Not for me at all\n",
            "texts",
        ),
        ("text\ngood\n", "texts"),
        ("", "texts"),
    ],
)
def test_a_file_tells_what_it_holds(tmp_path: Path, text: str, content: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    found, note = told(path)
    assert found == content
    assert note.startswith("taken for a table" if content == "table" else "taken for texts")


@pytest.mark.parametrize(
    "rows",
    [
        ["2024-01-01,5%", "2024-01-02,6%"],
        ["2024-01-01,true", "2024-01-02,false"],
        ["-100,1", "-200,2"],
        ["2024-01-01,", "2024-01-02,"],
    ],
)
def test_texts_that_may_have_been_meant_as_a_table_are_told_the_way(tmp_path: Path, rows: list[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["time,y", *rows, ""]))
    content, note = told(path)
    assert content == "texts"
    assert note.startswith("taken for texts, though column 'time' may hold times: --as table takes it for")


def test_columns_of_one_name_are_refused_in_a_table_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for time in ("2024-01-01", "1"):
        path.write_text(f"time,y,y\n{time},1,2\n")
        with pytest.raises(BadInput, match=r"t\.csv has several columns named 'y': rename them"):
            told(path)
    path.write_text("text,y,y\ngood,1,2\n")
    assert told(path) == ("texts", "taken for texts")


def test_a_file_that_may_be_either_is_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("date,shop,sales\n2024-01-01,north,2\n2024-01-01,south,3\n")
    with pytest.raises(
        BadInput, match=r"sales.csv may be a table .*--as table or --as texts.*--series 'shop'"
    ):
        told(path)
    assert chosen(path, "table", False, False) == ("table", "")
    assert chosen(path, "texts", False, False) == ("texts", "")
    assert chosen(path, None, False, True) == ("table", "")
    assert chosen(path, None, True, False) == ("texts", "")


def test_options_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    for content, as_texts, as_table in (("table", True, False), ("texts", False, True), (None, True, True)):
        with pytest.raises(BadInput, match="are of t"):
            chosen(tmp_path / "t.csv", content, as_texts, as_table)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("notes.txt", r"notes.txt is running text: upload it as a corpus \(--as corpus\)"),
        ("a.PNG", "a.PNG is a single picture: put your images into a folder"),
        ("x.zip", r"x.zip is none .*: rows \(.csv, .*questions \(.json\), .*\(.npz\), .*unpack an archive"),
    ],
)
def test_a_file_that_is_not_taken_is_told_what_is(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(BadInput, match=text):
        check_taken(tmp_path / name)
    check_taken(tmp_path)


def test_a_folder_of_pictures_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(BadInput, match=r"wanted for 'd1', a file \(.csv, .tsv, .parquet\); .*, a folder$"):
        load("d1", tmp_path)
    (tmp_path / "a/1.png").touch()
    with pytest.raises(BadInput, match=r"received .*, a folder of pictures$"):
        load("d1", tmp_path)


def test_lines_of_json_are_texts(tmp_path: Path) -> None:
    assert told(tmp_path / "t.jsonl") == ("texts", "")
