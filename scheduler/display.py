"""A job on the screen: a live bar in the terminal, a card in a notebook."""

import base64
from collections.abc import Iterable
from dataclasses import replace
from html import escape

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from scheduler.endings import ending
from scheduler.record import JobRecord
from scheduler.states import JobState

STYLES = {
    JobState.WAITING: "yellow",
    JobState.QUEUED: "yellow",
    JobState.PAUSED: "blue",
    JobState.RUNNING: "cyan",
    JobState.SUCCEEDED: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "magenta",
}


def show_bar(updates: Iterable[JobRecord], console: Console | None = None) -> None:
    """Shows a live bar through a job's records as they come, then one line on how it ended."""
    console = console or Console()
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        for record in updates:
            live.update(_bar(record))
    succeeded = record.state is JobState.SUCCEEDED
    console.print(_success(record) if succeeded else Text(ending(record), style=STYLES[record.state]))


def standing(record: JobRecord) -> str:
    """Where a job stands, in one line: how far it is, what it waits for, or why it failed."""
    if record.cause:
        return f"{record.cause}: {record.message}"
    if record.progress is None:
        return "" if record.state.final else _why_no_progress(record)
    # Nobody wants to know how long a job that has ended still needs, and nobody knows it of a paused one.
    eta = None if record.state.final or record.state is JobState.PAUSED else record.progress.eta_seconds
    return replace(record.progress, eta_seconds=eta).line()


def _success(record: JobRecord) -> Text:
    text = Text.assemble((f"{record.kind} {record.id} ", ""), ("SUCCEEDED", "green"))
    if record.started and record.finished:
        text.append(f" in {record.finished - record.started:.1f} s")
    if record.progress:
        text.append(f" · {standing(record)}")
    return text


def _bar(record: JobRecord) -> RenderableType:
    progress = record.progress
    bar = ProgressBar(
        total=(progress.total if progress else 0) or 1, completed=progress.step if progress else 0, width=20
    )
    line = Table.grid(padding=(0, 1))
    # Cut rather than wrapped: a bar that changes its height flickers.
    line.add_row(bar, Text(standing(record), no_wrap=True, overflow="ellipsis"))
    head = Text.assemble(f"{record.kind} {record.id} ", (str(record.state), STYLES[record.state]))
    return Group(head, line)


def _why_no_progress(record: JobRecord) -> str:
    if record.state is JobState.PAUSED:
        return "paused by a person"
    if record.state is JobState.WAITING:
        if record.parts:
            return f"waits for its {record.parts} parts"
        return "waits for " + (", ".join(record.parents) or "its time")
    if record.state is JobState.QUEUED:
        return f"waits for a free slot in pool {record.pool}"
    return "starting"


def as_html(record: JobRecord, picture: bytes | None) -> str:
    """A card for a notebook: state, bar, newest picture (a PNG, if there is one)."""
    progress = record.progress
    share = 100 * progress.step / max(progress.total, 1) if progress else 0
    failed = record.state.final and record.state is not JobState.SUCCEEDED
    line = ending(record) if failed else standing(record)
    parts = [
        f"<b>{escape(record.kind)}</b> <code>{record.id}</code> {record.state}",
        f"<progress max='100' value='{share:.1f}'></progress> {escape(line)}",
    ]
    if picture:
        data = base64.b64encode(picture).decode()
        parts.append(f"<img alt='newest picture' src='data:image/png;base64,{data}' style='max-width:420px'>")
    return "<div>" + "<br>".join(parts) + "</div>"
