"""The page: plain HTML and its style sheet in one file, with no script and nothing to load."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from jobs.context import duration
from scheduler.records import JobRecord
from scheduler.report.curves import Chart, charts, number, svg
from scheduler.report.material import Material
from scheduler.report.tables import (
    attempts_table,
    environment_table,
    files_table,
    moment,
    result_table,
    spec_table,
)

#: Nothing but what is in the file: no script, no font, no picture from anywhere.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
#: How a reader finds out what state a stored page tells of.
STATE = '<meta name="triptych-state" content="{}">'


def render(material: Material) -> str:
    """The whole page."""
    record = material.record
    title = escape(f"{record.kind} {record.id} {record.state}")
    sections = [
        _head(material),
        _section("The end of its log", f"<pre>{escape(material.log)}</pre>" if material.log else ""),
        _section("Curves", _charts(charts(material.metrics))),
        _section("Over training", _strip(material.frames)),
        _section("Pictures", _pictures(material)),
        _section("Result", result_table(material.result)),
        _section("Spec", spec_table(record)),
        _section("Attempts", attempts_table(material)),
        _section("Environment", environment_table(material)),
        _section("Files", files_table(material)),
    ]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            STATE.format(record.state),
            f"<title>{title}</title>",
            f"<style>{(Path(__file__).parent / 'report.css').read_text()}</style></head><body><main>",
            *(section for section in sections if section),
            f"<footer>Triptych {version('triptych')} · times are UTC</footer></main></body></html>\n",
        ]
    )


def _head(material: Material) -> str:
    record = material.record
    parts = [
        f'<header><h1>{escape(record.kind)}</h1><span class="id quiet">{escape(record.id)}</span>'
        f'<span class="state {record.state}">{record.state}</span></header>',
        f'<p class="quiet">{escape(_story(record))}</p>',
    ]
    if record.cause or record.message:
        text = ": ".join(part for part in (record.cause, record.message) if part)
        parts.append(f'<div class="why">{escape(text)}</div>')
    if tiles := _tiles(material):
        cells = (f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in tiles)
        parts.append(f'<dl class="tiles">{"".join(cells)}</dl>')
    return "".join(parts)


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


def _charts(drawn: Iterable[Chart]) -> str:
    figures = []
    for chart in drawn:
        legend = "".join(
            f'<span class="curve-{index}"><b>{escape(curve.name)}</b> <i>{number(curve.last)}</i></span>'
            for index, curve in enumerate(chart.curves)
        )
        scale = ' <span class="quiet">(logarithmic)</span>' if chart.logarithmic else ""
        title = f"<h3>{escape(chart.title)}{scale}</h3>"
        figures.append(f"<figure>{title}{svg(chart)}<p class='legend'>{legend}</p></figure>")
    return f'<div class="charts">{"".join(figures)}</div>' if figures else ""


def _strip(frames: Mapping[int, bytes]) -> str:
    figures = (
        f"<figure>{_image(png, 'image/png', f'step {step}')}<figcaption>step {step:,}</figcaption></figure>"
        for step, png in frames.items()
    )
    return f'<div class="strip" tabindex="0">{"".join(figures)}</div>' if frames else ""


def _pictures(material: Material) -> str:
    figures = [
        f"<figure>{_image(content, f'image/{name[-3:]}', name)}"
        f"<figcaption>{escape(name)}</figcaption></figure>"
        for name, content in material.pictures.items()
    ]
    more = f'<p class="quiet">Too large to be shown: {escape(", ".join(material.left_out))}</p>'
    return (f'<div class="pictures">{"".join(figures)}</div>' if figures else "") + (
        more if material.left_out else ""
    )


def _image(content: bytes, kind: str, says: str) -> str:
    data = base64.b64encode(content).decode()
    return f'<img alt="{escape(says)}" src="data:{kind};base64,{data}">'


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>" if content else ""
