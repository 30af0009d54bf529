"""Whether a file holds texts or a table with time, told from its first rows."""

import csv
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

from jobs.datasets.tables.cells import first_rows, names_of
from jobs.datasets.tables.column import MISSING, numbers_of
from jobs.datasets.tables.moments import USUAL_NAMES, looks_like_times
from jobs.datasets.tables.reading import FORMATS
from jobs.errors import BadInput

#: Rows that are looked at.
_ROWS = 1_000
#: Words of a cell, in the mean, from which on a column is running text.
_WORDS = 4
#: A date as people write it: its order of day and month is for them to say.
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}([ T,]+\d{1,2}:\d\d.*)?")

_TEXTS = "taken for texts"

Content = Literal["texts", "table", "questions"]


def chosen(path: Path, content: Content | None, as_texts: bool, as_table: bool) -> tuple[Content, str]:
    """What a file of rows is to be taken for, and a sentence if that was guessed; none of lines of JSON.

    Args:
        path: the file.
        content: what a person says that it holds.
        as_texts: whether options were given that are of texts alone.
        as_table: whether options were given that are of tables alone.

    Raises:
        BadInput: it may be either, or options were given that do not go together.
    """
    if content not in (None, "texts", "table"):
        raise BadInput(f"a file of rows is taken for 'texts' or a 'table', received {content!r}")
    if as_texts and (as_table or content == "table"):
        raise BadInput("delimiter, quoting and encoding are of texts: a table's are found out")
    if as_table and content == "texts":
        raise BadInput("time, series, timezone, regularise and time format are of tables, not of texts")
    if content is not None:
        return content, ""
    if as_texts or as_table:
        return ("texts" if as_texts else "table"), ""
    return told(path)


def told(path: Path) -> tuple[Content, str]:
    """What a file of rows holds, and a sentence that says so; none of lines of JSON, which hold texts.

    It is a table if a column holds times and all others numbers; texts, if no column holds times, none holds
    numbers, or one holds running text.

    Args:
        path: `.csv`, `.tsv`, `.jsonl` or `.parquet`.

    Raises:
        BadInput: it may be either, or is a table with several columns of one name.
    """
    if path.suffix.lower() not in FORMATS:
        return "texts", ""
    try:
        names, columns = first_rows(path, _ROWS)
    except (BadInput, UnicodeError, csv.Error, OSError):
        return "texts", _TEXTS  # whose reader says what is wrong, in its own words
    filled = [[cell.strip() for cell in column if cell.strip().lower() not in MISSING] for column in columns]
    times = [name for name, cells in zip(names, filled, strict=True) if cells and _are_times(name, cells)]
    others = [(name, cells) for name, cells in zip(names, filled, strict=True) if cells and name not in times]
    numbers = [name for name, cells in others if _are_numbers(cells)]
    texts = [(name, cells) for name, cells in others if name not in numbers]
    if any(_is_prose(cells) for _, cells in texts):
        return "texts", _TEXTS
    likely = times or [name for name in names if name.lower() in USUAL_NAMES]
    if len(names) > 1 and likely and numbers and not texts:
        names_of(path)  # refuses a name that several columns have
    if not times or not numbers:
        return "texts", _TEXTS + _hint(likely)
    if not texts:
        return (
            "table",
            f"taken for a table with time, as column {times[0]!r} holds times and the others numbers",
        )
    raise BadInput(
        f"{path.name} may be a table with time (column {times[0]!r} holds times, {numbers[0]!r} numbers) or "
        f"texts (column {texts[0][0]!r}): say which with --as table or --as texts; in a table, --series "
        f"{texts[0][0]!r} if that column tells the series apart"
    )


def _hint(times: Sequence[str]) -> str:
    """How a file is read as a table, if one of its columns may be one of times."""
    if not times:
        return ""
    return (
        f", though column {times[0]!r} may hold times: --as table takes it for a table with time, or says "
        "what is wrong with it"
    )


def _are_times(name: str, cells: Sequence[str]) -> bool:
    usual = name.lower() in USUAL_NAMES
    if all(re.fullmatch(r"-?\d+(\.\d+)?", cell) for cell in cells) and not usual:
        return False  # numbers, whatever their size
    return looks_like_times(cells) or all(_DATE.fullmatch(cell) for cell in cells)


def _are_numbers(cells: Sequence[str]) -> bool:
    try:
        numbers_of([cell.replace(",", ".") for cell in cells])
    except ValueError:
        return False
    return True


def _is_prose(cells: Sequence[str]) -> bool:
    return sum(len(cell.split()) for cell in islice(cells, _ROWS)) >= _WORDS * len(cells)
