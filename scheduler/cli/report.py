"""`triptych report`: everything about a job on one page."""

import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli import paths
from scheduler.cli.follow import JobId
from scheduler.cli.output import in_terminal, say


def report(
    job_id: JobId,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=paths.given, metavar="FILE", help="Write the report here instead of opening a browser."
        ),
    ] = None,
) -> None:
    """Open the report of a job in a browser: spec, curves, pictures, result, attempts. Works offline."""
    from scheduler.client import Client

    job = Client().get(job_id)
    # A folder of its own: the page may show what is not for others on this machine.
    path = out or Path(tempfile.mkdtemp(prefix="triptych-report-")) / f"{job.id}.html"
    path.write_text(job.report(), encoding="utf-8")
    say(str(path))
    if out is None and in_terminal():
        webbrowser.open(path.absolute().as_uri())
