"""`triptych`: the command line. One file per group of commands.

What is slow to import (the client, the records, the store) is imported inside the commands that need it, so
that `triptych --help` answers at once.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scheduler.cli import (
    datasets,
    demo,
    files,
    follow,
    init,
    kinds,
    listing,
    recover,
    report,
    stack,
    submit,
    verify,
    workers,
)
from scheduler.cli.output import failed
from scheduler.errors import TriptychError


class Commands(TyperGroup):
    """Ends every expected error as one line on stderr and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that was asked for."""
        try:
            return super().invoke(ctx)
        except TriptychError as error:
            failed(str(error))
        except OSError as error:
            if error.filename is None:
                raise  # a closed pipe, not a file
            failed(f"{error.filename}: {error.strerror}")
        except Exception as error:
            if not type(error).__module__.startswith("redis."):
                raise
            # It went away while a command was using it; the client has tried again several times by now.
            failed(f"Redis no longer answers ({type(error).__name__}): {error}")
        raise typer.Exit(1)


app = typer.Typer(
    cls=Commands,
    name="triptych",
    help="Train and run GANs, self-supervised models and Transformers as batch jobs on your own machines.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they may hold a password
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"triptych {version('triptych')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    del version


_STACK = "The stack on this machine"
_JOBS = "Jobs"
_WITHOUT_QUEUE = "What there is"

app.command("demo", rich_help_panel=_STACK)(demo.demo)
app.command("up", rich_help_panel=_STACK)(stack.up)
app.command("down", rich_help_panel=_STACK)(stack.down)
app.command("status", rich_help_panel=_STACK)(stack.status)
app.command("init", rich_help_panel=_STACK)(init.init)
app.command("submit", rich_help_panel=_JOBS, context_settings=submit.OPEN)(submit.submit)
app.command("jobs", rich_help_panel=_JOBS)(listing.jobs)
app.command("show", rich_help_panel=_JOBS)(listing.show)
app.command("watch", rich_help_panel=_JOBS)(follow.watch)
app.command("logs", rich_help_panel=_JOBS)(follow.logs)
app.command("cancel", rich_help_panel=_JOBS)(follow.cancel)
app.command("artifacts", rich_help_panel=_JOBS)(files.artifacts)
app.command("images", rich_help_panel=_JOBS)(files.images)
app.command("report", rich_help_panel=_JOBS)(report.report)
app.command("workers", rich_help_panel=_JOBS)(workers.workers)
app.command("drain", rich_help_panel=_JOBS)(workers.drain)
app.command("recover", rich_help_panel=_JOBS)(recover.recover)
app.command("kinds", rich_help_panel=_WITHOUT_QUEUE)(kinds.kinds)
app.add_typer(datasets.app, name="datasets", rich_help_panel=_WITHOUT_QUEUE)
app.command("run", rich_help_panel=_WITHOUT_QUEUE, context_settings=submit.OPEN)(submit.run)
app.command("verify-resume", rich_help_panel=_WITHOUT_QUEUE, context_settings=submit.OPEN)(
    verify.verify_resume
)


def main() -> None:
    """The entry point."""
    app()
