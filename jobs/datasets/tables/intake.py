"""How a person says that a table is to be read, and what is known of one that was."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.datasets.tables.reading import FORMATS, read_table
from jobs.datasets.tables.step import Step
from jobs.datasets.tables.table import Table
from jobs.errors import BadInput


@dataclass(frozen=True)
class Reading:
    """What a person says of a table; None where it is to be found out.

    Attributes:
        time: the column of times.
        series: the column that tells the series apart.
        timezone: where the clock is that showed the times.
        regularise: the step that the rows are to have.
        time_format: how times are written, as `datetime.strptime` takes it.
    """

    time: str | None = None
    series: str | None = None
    timezone: str | None = None
    regularise: str | None = None
    time_format: str | None = None

    def read(self, path: Path) -> Table:
        """The table in a file.

        Raises:
            BadInput: it cannot be read, or is not regular; one sentence, with the row.
            InvalidSpec: `regularise` is not a step.
        """
        if path.suffix.lower() not in FORMATS:
            raise BadInput(f"{path.name} is no table: it is none of {', '.join(FORMATS)}")
        return read_table(
            path,
            time=self.time,
            series=self.series,
            step=Step.parse(self.regularise) if self.regularise is not None else None,
            zone=self.timezone,
            time_format=self.time_format,
        )


def span_of(table: Table) -> tuple[str, str]:
    """The first time of all series and the last one, as the table writes them."""
    if table.step.months:
        last = max(table.times(n, table.length(n) - 1, 1)[0] for n in range(len(table.ids)))
    else:
        last = (table.starts + (np.diff(table.offsets) - 1) * table.step.microseconds).max()
    first, end = table.calendar.texts(np.array([table.starts.min(), last]))
    return first, end
