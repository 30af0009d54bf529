"""The commands of `triptych`, each by its name.

What is slow to import (the client, the records, the store) is imported inside the commands that need it, so
that `triptych --help` answers at once.
"""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scheduler.cli import (
    clean,
    compare,
    datasets,
    demo,
    files,
    follow,
    init,
    kinds,
    listing,
    models,
    pausing,
    recover,
    report,
    schedule,
    stack,
    submit,
    sweeps,
    tensorboard,
    verify,
    workers,
)
from scheduler.cli.completion import SpecCommand
from scheduler.cli.exits import ended_by


class Commands(TyperGroup):
    """Ends every expected error as one line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that was asked for."""
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()  # here, where a reader that went away is noticed
        except Exception as error:
            if (end := ended_by(error)) is None:
                raise
        else:
            return answer
        raise end


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
_WITHOUT_QUEUE = "Kinds, data sets and local runs"

app.command("demo", rich_help_panel=_STACK)(demo.demo)
app.command("up", rich_help_panel=_STACK)(stack.up)
app.command("down", rich_help_panel=_STACK)(stack.down)
app.command("status", rich_help_panel=_STACK)(stack.status)
app.command("init", rich_help_panel=_STACK)(init.init)
app.command("submit", rich_help_panel=_JOBS, cls=SpecCommand, context_settings=submit.OPEN)(submit.submit)
app.command("sweep", rich_help_panel=_JOBS, cls=SpecCommand, context_settings=submit.OPEN)(sweeps.sweep)
app.add_typer(sweeps.app, name="sweeps", rich_help_panel=_JOBS)
app.command("extend", rich_help_panel=_JOBS)(submit.extend)
app.command("jobs", rich_help_panel=_JOBS)(listing.jobs)
app.command("show", rich_help_panel=_JOBS)(listing.show)
app.command("watch", rich_help_panel=_JOBS)(follow.watch)
app.command("logs", rich_help_panel=_JOBS)(follow.logs)
app.command("cancel", rich_help_panel=_JOBS)(follow.cancel)
app.command("pause", rich_help_panel=_JOBS)(pausing.pause)
app.command("resume", rich_help_panel=_JOBS)(pausing.resume)
app.command("priority", rich_help_panel=_JOBS)(pausing.priority)
app.command("rerun", rich_help_panel=_JOBS)(pausing.rerun)
app.command("artifacts", rich_help_panel=_JOBS)(files.artifacts)
app.command("images", rich_help_panel=_JOBS)(files.images)
app.command("compare", rich_help_panel=_JOBS)(compare.compare)
app.command("report", rich_help_panel=_JOBS)(report.report)
app.command("tensorboard", rich_help_panel=_JOBS)(tensorboard.tensorboard)
app.add_typer(models.app, name="models", rich_help_panel=_JOBS)
app.command("workers", rich_help_panel=_JOBS)(workers.workers)
app.command("drain", rich_help_panel=_JOBS)(workers.drain)
app.add_typer(schedule.app, name="schedule", rich_help_panel=_JOBS)
app.command("delete", rich_help_panel=_JOBS)(clean.delete)
app.command("prune", rich_help_panel=_JOBS)(clean.prune)
app.command("doctor", rich_help_panel=_JOBS)(clean.doctor)
app.command("recover", rich_help_panel=_JOBS)(recover.recover)
app.command("kinds", rich_help_panel=_WITHOUT_QUEUE)(kinds.kinds)
app.add_typer(datasets.app, name="datasets", rich_help_panel=_WITHOUT_QUEUE)
app.command("run", rich_help_panel=_WITHOUT_QUEUE, cls=SpecCommand, context_settings=submit.OPEN)(submit.run)
app.command("verify-resume", rich_help_panel=_WITHOUT_QUEUE, cls=SpecCommand, context_settings=submit.OPEN)(
    verify.verify_resume
)
