"""A job on the screen: a live bar in the terminal, a card in a notebook."""

import base64
from html import escape
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from scheduler.records import JobRecord
from scheduler.states import JobState

if TYPE_CHECKING:
    from scheduler.job import Job

STYLES = {
    JobState.WAITING: "yellow",
    JobState.QUEUED: "yellow",
    JobState.RUNNING: "cyan",
    JobState.SUCCEEDED: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "magenta",
}


def show_bar(job: "Job[Any]", timeout: float | None = None, console: Console | None = None) -> None:
    """Shows a live bar until the job has ended, then one line on how it ended.

    Raises:
        TimeoutError: it has not ended after `timeout` seconds.
    """
    console = console or Console()
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        for record in job.updates(timeout):
            live.update(_bar(record))
    style = STYLES[job.state]
    console.print(Text(job.ending(), style=style) if job.state is not JobState.SUCCEEDED else _success(job))


def _success(job: "Job[Any]") -> Text:
    record = job.record
    text = Text.assemble((f"{record.kind} {job.id} ", ""), ("SUCCEEDED", "green"))
    if record.started and record.finished:
        text.append(f" in {record.finished - record.started:.1f} s")
    if record.progress:
        text.append(f" · {record.progress.line()}")
    return text


def _bar(record: JobRecord) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    progress = record.progress
    total = progress.total if progress else 1
    table.add_row(
        Text(f"{record.kind} {record.id}"),
        Text(record.state, style=STYLES[record.state]),
        ProgressBar(total=total or 1, completed=progress.step if progress else 0, width=30),
        Text(progress.line() if progress else _why_no_progress(record)),
    )
    return table


def _why_no_progress(record: JobRecord) -> str:
    if record.state is JobState.WAITING:
        return "waits for " + (", ".join(record.parents) or "its time")
    if record.state is JobState.QUEUED:
        return f"waits for a free slot in pool {record.pool}"
    return "starting"


def as_html(job: "Job[Any]") -> str:
    """A card for a notebook: state, bar, newest picture."""
    record = job.record
    progress = record.progress
    share = 100 * progress.step / max(progress.total, 1) if progress else 0
    line = progress.line() if progress else _why_no_progress(record)
    if record.state.final and record.state is not JobState.SUCCEEDED:
        line = job.ending()
    parts = [
        f"<b>{escape(record.kind)}</b> <code>{job.id}</code> {record.state}",
        f"<progress max='100' value='{share:.1f}'></progress> {escape(line)}",
    ]
    if png := _newest_picture(job):
        data = base64.b64encode(png).decode()
        parts.append(f"<img alt='newest picture' src='data:image/png;base64,{data}' style='max-width:420px'>")
    return "<div>" + "<br>".join(parts) + "</div>"


def _newest_picture(job: "Job[Any]") -> bytes | None:
    for name in ("grid.png", "samples.png"):
        if name in job.artifacts():
            return job.artifact(name)
    samples = job.samples()
    return job.read(samples[-1].key) if samples else None
