"""A table with time, in memory or on disk, and how its times are written."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from jobs.datasets.tables.calendar import Calendar
from jobs.datasets.tables.step import Step
from jobs.errors import BadInput

Array = np.ndarray[Any, Any]

#: The files of a stored table.
TABLE, SERIES, STARTS, OFFSETS, VALUES = (
    "table.json",
    "series.json",
    "starts.npy",
    "offsets.npy",
    "values.npy",
)


@dataclass(frozen=True)
class Table:
    """Numbers in regular steps: one series of several columns, or many such series.

    Attributes:
        columns: names of the columns of numbers.
        ids: of the series; of a single one, an empty text.
        starts: int64 (series,), the time of the first row of each, microseconds since 1970.
        offsets: int64 (series + 1,), where the rows of each series begin among all.
        values: float64 (rows, columns); NaN where one is missing.
        step: the time between rows.
        calendar: how times are written.
        series_column: of the ids; empty if there is one series.
        remarks: what was left out, changed or guessed when it was read.
    """

    columns: tuple[str, ...]
    ids: tuple[str, ...]
    starts: Array
    offsets: Array
    values: Array
    step: Step
    calendar: Calendar
    series_column: str = ""
    remarks: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        """Rows of all series."""
        return len(self.values)

    def rows(self, series: int) -> Array:
        """The values of one series, float64 (rows, columns)."""
        return self.values[self.offsets[series] : self.offsets[series + 1]]

    def length(self, series: int) -> int:
        """Rows of one series."""
        return int(self.offsets[series + 1] - self.offsets[series])

    def times(self, series: int, first: int = 0, count: int | None = None) -> Array:
        """Times of rows of a series, which may be after its last one, int64 microseconds since 1970."""
        wanted = self.length(series) - first if count is None else count
        return self.step.times(int(self.starts[series]), first, wanted)

    def write(self, folder: Path) -> None:
        """Writes the table into a folder, as `read` takes it."""
        np.save(folder / STARTS, self.starts)
        np.save(folder / OFFSETS, self.offsets)
        np.save(folder / VALUES, np.ascontiguousarray(self.values))
        (folder / SERIES).write_text(json.dumps(self.ids))
        about = {
            "columns": self.columns,
            "step": asdict(self.step),
            "calendar": asdict(self.calendar),
            "series_column": self.series_column,
            "remarks": self.remarks,
        }
        (folder / TABLE).write_text(json.dumps(about, indent=2))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The table in a folder; its values stay on disk until they are looked at.

        Raises:
            BadInput: the folder holds none.
        """
        try:
            about = json.loads((folder / TABLE).read_text())
            ids = tuple(json.loads((folder / SERIES).read_text()))
            starts, offsets = np.load(folder / STARTS), np.load(folder / OFFSETS)
            values = np.load(folder / VALUES, mmap_mode="r")
            return cls(
                tuple(about["columns"]),
                ids,
                starts,
                offsets,
                values,
                Step(**about["step"]),
                Calendar(**about["calendar"]),
                about["series_column"],
                tuple(about["remarks"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{folder.name} holds no table with time: {error}; upload it again") from error


def chosen(names: Sequence[str], columns: Sequence[str], what: str) -> list[int]:
    """The places of columns by their names.

    Raises:
        BadInput: there is no such column; the text names the ones there are.
    """
    for name in names:
        if name not in columns:
            raise BadInput(f"there is no {what} {name!r}: the columns of numbers are {', '.join(columns)}")
    return [columns.index(name) for name in names]
