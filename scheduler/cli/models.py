"""`triptych models`: names for trained models."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.output import note, say, show_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.models import ModelVersion

app = typer.Typer(
    help="Names for trained models. In specs, NAME is the newest version, NAME@3 the third, NAME@production "
    "that of an alias.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Such as digits.")]


@app.command("name")
def name_(
    name: Name,
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job that has succeeded.")],
    alias: Annotated[
        str | None,
        typer.Option(metavar="ALIAS", help="Let this alias point to the version, such as production."),
    ] = None,
) -> None:
    """Make a job the newest version of a name."""
    from scheduler.client import Client

    version = Client().name(name, job, alias)
    say(f"{version} is job {version.job}" + (f", and {name}@{alias}" if alias else ""))


@app.command("alias")
def alias_(
    name: Name,
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="Such as production.")],
    version: Annotated[
        int | None, typer.Option(help="The version that it points to; by default the newest.", min=1)
    ] = None,
) -> None:
    """Point an alias to a version. Jobs that were submitted before keep the one they had."""
    from scheduler.client import Client

    found = Client().models.alias(name, alias, version)
    say(f"{name}@{alias} is {found}, job {found.job}")


@app.command("list")
def list_() -> None:
    """List all names with their newest versions."""
    from scheduler.client import Client

    models = Client().models
    _show([(newest, _others(models.history(newest.name))) for newest in models.list()])


@app.command("history")
def history(name: Name) -> None:
    """List the versions of a name, the newest first."""
    from scheduler.client import Client

    _show([(version, ", ".join(version.aliases)) for version in reversed(Client().models.history(name))])


@app.command("unname")
def unname(
    name: Annotated[str, typer.Argument(metavar="NAME[@ALIAS]", help="A name, or an alias of it.")],
) -> None:
    """Remove a name with all its versions, or an alias. The jobs stay."""
    from scheduler.client import Client

    jobs = Client().models.unname(name)
    say(f"{name} is no name any more" if jobs else f"{name} is no alias any more")
    if jobs:
        note(f"the jobs stay: {', '.join(jobs)}")


def _others(versions: "Sequence[ModelVersion]") -> str:
    return ", ".join(f"{alias}: {version.number}" for version in versions for alias in version.aliases)


def _show(rows: "list[tuple[ModelVersion, str]]") -> None:
    show_rows(
        ("model", "version", "aliases", "kind", "job", "named"),
        [
            (
                version.name,
                str(version.number),
                aliases,
                version.kind,
                version.job,
                datetime.fromtimestamp(version.named).strftime("%Y-%m-%d %H:%M"),
            )
            for version, aliases in rows
        ],
    )
