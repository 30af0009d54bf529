"""The page of a sweep: trials, how good they were in their order, which fields mattered, pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from math import log10
from statistics import median_low
from typing import Any, Protocol

from jobs.datasets.readable import encodable
from scheduler.job import Job
from scheduler.report.curves import Chart, curve_of
from scheduler.report.drawing import HEIGHT, WIDTH, drawn, number
from scheduler.report.page import template
from scheduler.report.tables import Table, text_of
from scheduler.sweeps.spaces import AnyRange, Choice, Floats
from scheduler.sweeps.sweep import SweepSpec, SweepState, Trial

#: Rows of the table: the best.
MOST_ROWS = 200
#: The parallel coordinates, in their own units.
ACROSS, DOWN, TOP, SIDE = 1000.0, 260.0, 36.0, 70.0


class Sweep(Protocol):
    """What the page shows: a `scheduler.sweeps.sweeps.Sweep`."""

    id: str

    @property
    def spec(self) -> SweepSpec:
        """What is searched."""

    @property
    def state(self) -> SweepState:
        """Where it stands."""

    @property
    def message(self) -> str:
        """Why it failed."""

    def trials(self) -> Sequence[Trial]:
        """By number."""

    def ranking(self) -> Sequence[Trial]:
        """The best first."""

    def table(self) -> Sequence[Mapping[str, Any]]:
        """A row for each trial."""

    def job_of(self, trial: Trial) -> Job[Any]:
        """The job of a trial with a value."""


@dataclass(frozen=True)
class Axis:
    """One of the parallel axes."""

    name: str
    x: str
    top: str  #: what its upper end stands for
    bottom: str


@dataclass(frozen=True)
class Polyline:
    """A trial across all axes."""

    name: str
    points: str
    good: bool  #: whether it is in the best third


def sweep_page(sweep: Sweep, importances: Mapping[str, float] | None) -> str:
    """The whole page.

    Args:
        sweep: in whatever state.
        importances: of its fields; None if what computes them is not installed here.
    """
    trials, ranking = sweep.trials(), sweep.ranking()
    page = template("sweep.html").render(
        id=sweep.id,
        kind=sweep.spec.base["kind"],
        state=sweep.state,
        message=sweep.message,
        metric=sweep.spec.metric,
        direction=sweep.spec.direction,
        space=[(name, str(one)) for name, one in sweep.spec.space.items()],
        counts=f"{sum(trial.ended(0) for trial in trials)} of {sweep.spec.trials} trials have ended",
        drawings=[drawn(chart) for chart in _history(sweep, trials)],
        axes=_axes(sweep, ranking),
        lines=_lines(sweep, ranking),
        across=f"{ACROSS:g}",
        down=f"{DOWN:g}",
        top=f"{TOP:g}",
        importances=None
        if importances is None
        else [(n, v, f"{100 * v:.0f}") for n, v in importances.items()],
        pictures=_pictures(sweep, ranking),
        table=_table(sweep),
        most_rows=MOST_ROWS,
        width=f"{WIDTH:g}",
        height=f"{HEIGHT:g}",
        version=version("triptych"),
    )
    return encodable(page)


def _last(trial: Trial) -> float:
    return [each.value for each in trial.outcomes if each.value is not None][-1]


def _history(sweep: Sweep, trials: Sequence[Trial]) -> list[Chart]:
    """The first rung's value of each trial, and the best up to it."""
    values = [(float(trial.number), value) for trial in trials if (value := trial.value(0)) is not None]
    if len(values) < 2:
        return []
    best, kept = [], values[0][1]
    for at, value in values:
        kept = value if sweep.spec.better(value, kept) else kept
        best.append((at, kept))
    title = f"{sweep.spec.metric} by trial" + (", first rung" if sweep.spec.rungs else "")
    return [Chart(title, [curve_of("trial", values), curve_of("best so far", best)])]


def _axes(sweep: Sweep, ranking: Sequence[Trial]) -> list[Axis]:
    names = [*sweep.spec.space, sweep.spec.metric]
    found = []
    for place, name in enumerate(names):
        low, high = _ends(sweep, ranking, name)
        found.append(Axis(name, f"{_x(place, len(names)):.1f}", high, low))
    return found


def _lines(sweep: Sweep, ranking: Sequence[Trial]) -> list[Polyline]:
    found = []
    count = len(sweep.spec.space) + 1
    values = [_last(trial) for trial in ranking]
    for rank, trial in enumerate(ranking):
        shares = [_share(one, trial.values[name]) for name, one in sweep.spec.space.items()]
        shares.append(_between(_last(trial), min(values), max(values)))
        points = " ".join(
            f"{_x(place, count):.1f},{TOP + (1.0 - share) * (DOWN - 2 * TOP):.1f}"
            for place, share in enumerate(shares)
        )
        said = f"trial {trial.number}: {sweep.spec.metric} {number(_last(trial))}"
        found.append(Polyline(said, points, good=rank * 3 < len(ranking)))
    return found[::-1]  # the best are drawn last, above the others


def _x(place: int, count: int) -> float:
    return SIDE + place * (ACROSS - 2 * SIDE) / max(1, count - 1)


def _share(one: AnyRange, value: Any) -> float:
    """Where a value lies in its range, from 0 to 1."""
    if isinstance(one, Choice):
        return _between(list(one.among).index(value), 0, len(one.among) - 1)
    if one.log:
        return _between(log10(value), log10(one.low), log10(one.high))
    return _between(value, one.low, one.high)


def _between(value: float, low: float, high: float) -> float:
    return 0.5 if low == high else (value - low) / (high - low)


def _ends(sweep: Sweep, ranking: Sequence[Trial], name: str) -> tuple[str, str]:
    if name == sweep.spec.metric:
        values = [_last(trial) for trial in ranking]
        return (number(min(values)), number(max(values))) if values else ("", "")
    one = sweep.spec.space[name]
    if isinstance(one, Choice):
        return text_of(one.among[0]), text_of(one.among[-1])
    scale = " (log)" if one.log else ""
    return number(one.low), number(one.high) + scale if isinstance(one, Floats) else f"{one.high}{scale}"


def _pictures(sweep: Sweep, ranking: Sequence[Trial]) -> list[tuple[str, bytes]]:
    """The newest picture of the best trial, and of the median one beside it."""
    if not ranking:
        return []
    middle = ranking[median_low(range(len(ranking)))]
    found = []
    for what, trial in (("best", ranking[0]), ("median", middle)):
        job: Job[Any] = sweep.job_of(trial)
        picture = job.newest_picture()
        if picture is not None:
            found.append(
                (f"{what}: trial {trial.number}, {sweep.spec.metric} {number(_last(trial))}", picture)
            )
    return found


def _table(sweep: Sweep) -> Table:
    rows = {row["trial"]: row for row in sweep.table()}
    order = [trial.number for trial in sweep.ranking()]
    order += [each for each in rows if each not in set(order)]
    chosen = [rows[each] for each in order[:MOST_ROWS]]
    head = list(chosen[0]) if chosen else []
    return Table(head, [[text_of(value) for value in row.values()] for row in chosen])
