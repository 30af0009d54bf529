"""`triptych compare`: what differs between jobs, and their curves on one page."""

from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli import paths
from scheduler.cli.output import note, say, show_rows
from scheduler.errors import NotInstalled


def compare(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB JOB ...", help="Two to eight jobs.")],
    out: Annotated[
        Path | None,
        typer.Option(
            parser=paths.given, metavar="FILE", help="Write a page with the curves over each other."
        ),
    ] = None,
) -> None:
    """Show what differs between jobs: spec, data, result, environment. With --out, also their curves."""
    from scheduler.client import Client
    from scheduler.comparing import differences
    from scheduler.report.tables import text_of

    client = Client()
    chosen = [client.get(job) for job in jobs]
    found = differences(chosen, client.store)
    show_rows(
        ("of", "field", *(job.id[:8] for job in chosen)),
        [(each.of, each.name, *map(text_of, each.values)) for each in found],
    )
    if not found:
        note("they differ in nothing")
    if out is not None:
        try:
            from scheduler.report.comparison import comparison_page
        except ModuleNotFoundError as error:
            raise NotInstalled(
                f"writing a page needs the package {error.name}, which comes with the extra `report`"
            ) from None

        out.write_text(comparison_page(chosen, found), encoding="utf-8")
        say(str(out))
