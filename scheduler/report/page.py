"""The page: plain HTML and its style sheet in one file, with no script and nothing to load."""

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from jobs.context import duration
from jobs.datasets.readable import encodable
from scheduler.record import JobRecord
from scheduler.report.curves import charts
from scheduler.report.drawing import HEIGHT, WIDTH, drawn, number
from scheduler.report.material import Material
from scheduler.report.tables import (
    MOST_FILES,
    attempts_table,
    environment_table,
    moment,
    parts_table,
    result_table,
    spec_as_json,
    spec_fields,
)


def render(material: Material) -> str:
    """The whole page."""
    record = material.record
    page = template("page.html").render(
        record=record,
        story=_story(record),
        tiles=_tiles(material),
        log=material.log,
        drawings=[drawn(chart) for chart in charts(material.metrics)],
        frames=material.frames,
        pictures=material.pictures,
        left_out=material.left_out,
        result=result_table(material.result),
        fields=spec_fields(record),
        spec=spec_as_json(record),
        attempts=attempts_table(material),
        parts=parts_table(material),
        environment=environment_table(material),
        files=list(material.files.items()),
        most_files=MOST_FILES,
        width=f"{WIDTH:g}",
        height=f"{HEIGHT:g}",
        version=version("triptych"),
    )
    return encodable(page)


@cache
def template(name: str) -> Template:
    """A template of this folder."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,  # a name that is misspelt is a fault, not a gap
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "base64": lambda content: base64.b64encode(content).decode(),
        "thousands": "{:,}".format,
    }
    return environment.get_template(name)


def _story(record: JobRecord) -> str:
    """When and where it ran, in a sentence."""
    parts = [f"submitted {moment(record.created)}"]
    if record.started:
        parts.append(f"started {moment(record.started)}")
    if record.finished:
        parts.append(f"ended {moment(record.finished)}")
    if record.worker:
        parts.append(f"on {record.worker}")
    if record.attempt > 1:
        parts.append(f"attempt {record.attempt}")
    return " · ".join(parts)


def _tiles(material: Material) -> list[tuple[str, str]]:
    """What a person asks first: how long, how far, how fast, how good."""
    record, tiles = material.record, []
    if record.started and record.finished:
        tiles.append(("took", duration(record.finished - record.started)))
    if record.progress:
        tiles.append(("steps", f"{record.progress.step:,} of {record.progress.total:,}"))
    if speed := _steps_per_second(material.metrics):
        tiles.append(("steps/s", number(speed)))
    tiles += [
        (name, number(value))
        for name, value in material.result.items()
        if isinstance(value, float) and not isinstance(value, bool)
    ]
    return tiles


def _steps_per_second(metrics: Sequence[Mapping[str, Any]]) -> float:
    """The median over the times between two reports; what lies between two attempts counts for nothing."""
    pairs = pairwise(metrics)
    speeds = sorted(
        (after["step"] - before["step"]) / (after["time"] - before["time"])
        for before, after in pairs
        if after["time"] > before["time"] and after["step"] > before["step"]
    )
    return float(speeds[len(speeds) // 2]) if speeds else 0.0
