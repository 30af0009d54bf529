"""The page of a comparison: what differs between jobs, and their curves over each other."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from jobs.datasets.readable import encodable
from scheduler.comparing import Difference
from scheduler.job import Job
from scheduler.report.curves import Chart, Point, curve_of, series_of
from scheduler.report.drawing import HEIGHT, WIDTH, drawn
from scheduler.report.page import template
from scheduler.report.tables import Table, text_of


def comparison_page(jobs: Sequence[Job[Any]], found: Sequence[Difference]) -> str:
    """The whole page: one chart for each metric that a job has reported more than once."""
    series = {job.id: series_of(job.metrics()) for job in jobs}
    names = dict.fromkeys(name for each in series.values() for name in each)
    page = template("comparison.html").render(
        jobs=[(job.id, job.kind, job.state) for job in jobs],
        drawings=[drawn(chart) for name in names if (chart := _chart(name, series)) is not None],
        tables={of: _table(of, found, jobs) for of in dict.fromkeys(each.of for each in found)},
        width=f"{WIDTH:g}",
        height=f"{HEIGHT:g}",
        version=version("triptych"),
    )
    return encodable(page)


def _chart(name: str, series: Mapping[str, Mapping[str, Sequence[Point]]]) -> Chart | None:
    """A metric of all jobs, each in the colour of its place; a job without it has an empty place."""
    curves = [
        curve_of(job[:8], points[name]) if len(points.get(name, ())) > 1 else None
        for job, points in series.items()
    ]
    if not any(curves):
        return None
    return Chart(
        name, [curve for curve in curves if curve], [place for place, curve in enumerate(curves) if curve]
    )


def _table(of: str, found: Sequence[Difference], jobs: Sequence[Job[Any]]) -> Table:
    rows = [[each.name, *map(text_of, each.values)] for each in found if each.of == of]
    return Table(["", *(job.id[:8] for job in jobs)], rows)
