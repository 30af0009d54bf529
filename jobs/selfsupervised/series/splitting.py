"""A table's rows in parts: to train on, to choose by, and to evaluate on."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from jobs.datasets.tables.calendar import zone_of
from jobs.datasets.tables.table import Table
from jobs.errors import BadInput
from jobs.selfsupervised.series.methods.method import Origins
from jobs.selfsupervised.series.panel import Panel, Rows
from jobs.selfsupervised.series.seasons import season_of
from jobs.selfsupervised.series.spec import TrainSeries

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Split:
    """The parts of every series.

    Attributes:
        panel: z-scores by the training part.
        validation: int64 (series,), the first row of the validation part.
        test: int64 (series,), the first row of the test part.
        horizon: rows to forecast.
    """

    panel: Panel
    validation: Array
    test: Array
    horizon: int

    @classmethod
    def of(cls, spec: TrainSeries, table: Table) -> "Split":
        """The parts that a spec asks for.

        Raises:
            BadInput: there is no such column, or no row in that time.
        """
        rows = Rows.between(table, _moment(spec.since, table), _moment(spec.until, table))
        if not rows.offsets[-1]:
            raise BadInput(
                f"{spec.dataset!r} has no row from {spec.since or 'its beginning'} to "
                f"{spec.until or 'its end'}: its first series begins at "
                f"{table.calendar.texts(table.starts[:1])[0]}"
            )
        lengths = rows.lengths
        test = np.maximum(lengths - _rows(spec.test, lengths, spec.horizon), 0)
        validation = np.maximum(test - _rows(spec.validation, lengths, spec.horizon), 0)
        columns = spec.targets or tuple(name for name in table.columns if name not in spec.known)
        if not columns:
            raise BadInput(f"all columns of {spec.dataset!r} are known ahead: there is none to forecast")
        panel = Panel(table, rows, columns, spec.known, validation)
        ends = panel.starts + np.minimum(np.tile(validation, len(columns)), panel.lengths)
        panel.take_season(season_of(panel.values, panel.starts, ends, table.step, spec.horizon))
        return cls(panel, validation, test, spec.horizon)

    def training(self, window: int) -> tuple[Origins, int]:
        """Places whose window and forecast lie within the training part, and how many were left out."""
        first = np.full_like(self.validation, window)
        places, left_out = self.panel.origins(first, self.validation, self.horizon, window, whole=True)
        return Origins.of(self.panel, places), left_out

    def chosen_by(self) -> Origins:
        """Places whose forecast lies within the validation part."""
        places, _ = self.panel.origins(self.validation, self.test, self.horizon, 1, whole=False)
        return Origins.of(self.panel, places)

    def tested(self) -> tuple[Origins, int]:
        """Places whose forecast lies within the test part, and how many were left out."""
        places, left_out = self.panel.origins(
            self.test, self.panel.rows.lengths, self.horizon, 1, whole=False
        )
        return Origins.of(self.panel, places), left_out

    @property
    def longest(self) -> int:
        """Rows of the longest training part."""
        return int(self.validation.max(initial=0))


def _rows(asked: float, lengths: Array, horizon: int) -> Array:
    """Rows of a part. A share is at least the horizon, where a series is five times as long."""
    if asked >= 1:
        return np.full_like(lengths, int(asked))
    share = np.floor(asked * lengths).astype(np.int64)
    return np.where(lengths >= 5 * horizon, np.maximum(share, horizon), share)


def _moment(text: str | None, table: Table) -> int | None:
    """A time as a spec has it, on the table's clock, microseconds since 1970."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    zone = zone_of(table.calendar.zone) if table.calendar.zone else UTC
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)
