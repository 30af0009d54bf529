"""`triptych artifacts` and `triptych images`: what a job left."""

from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli import paths
from scheduler.cli.follow import JobId
from scheduler.cli.output import note, say, show_rows


def artifacts(
    job_id: JobId,
    download: Annotated[
        Path | None,
        typer.Option(
            parser=paths.given, metavar="FOLDER", help="Download them here, with samples, metrics and result."
        ),
    ] = None,
) -> None:
    """List the artifacts of a job, or download them."""
    from scheduler.client import Client

    job = Client().get(job_id)
    if download is not None:
        for path in job.download(download):
            say(str(path))
        return
    found = job.artifacts()
    show_rows(("file", "bytes"), [(name, str(size)) for name, size in found.items()])
    if not found:
        note(f"job {job.id} is {job.state} and has left nothing yet")


def images(
    job_id: JobId,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=paths.given,
            metavar="FOLDER",
            help="Save them here; by default in a folder named after the job.",
        ),
    ] = None,
) -> None:
    """Download a job's pictures and print their paths, samples from the training first."""
    from scheduler.client import Client

    job = Client().get(job_id)
    paths = job.download_images(out or Path(job.id))
    for path in paths:
        say(str(path))
    if not paths:
        note(f"job {job.id} is {job.state} and has no picture yet")
