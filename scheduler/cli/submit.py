"""`triptych submit` and `triptych run`: the two ways to have a spec computed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from scheduler.cli import paths
from scheduler.cli.completion import offered_kinds
from scheduler.cli.moment import moment
from scheduler.cli.output import in_terminal, note, say, show_rows

if TYPE_CHECKING:
    from jobs.dividing.parts import Wanted
    from scheduler.job import Job

#: The fields of a kind are its own, so whatever is no option of ours is passed on, `--help` included.
OPEN = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}

Help = Annotated[bool, typer.Option("--help", help="Show this message, with a KIND also its fields.")]
Data = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=PATH", help="Your own data set: a folder of images, or an .npz."),
]


def submit(
    context: typer.Context,
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND --FIELD VALUE ...",
            help="Such as gan.train --epochs 20.",
            autocompletion=offered_kinds,
        ),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(
            parser=paths.given,
            metavar="FILE",
            help="A spec as JSON, `-` for stdin; fields given here replace those in it.",
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show a live progress bar until it has ended.")
    ] = False,
    priority: Annotated[int, typer.Option(help="0 (most urgent) to 9.", min=0, max=9)] = 5,
    after: Annotated[
        list[str] | None,
        typer.Option(metavar="JOB", help="Wait until this job has succeeded; may be repeated."),
    ] = None,
    start_at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Start no earlier: +SECONDS from now, or 2026-07-01T02:30."),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help="Whose clocks --start-at means, such as Europe/Berlin; by default this machine's.",
        ),
    ] = None,
    reuse: Annotated[
        bool,
        typer.Option(
            "--reuse", help="Use an equivalent job (same spec, code, data) if one is done, running or queued."
        ),
    ] = False,
    key: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Submitting again with the same key gives the same job."),
    ] = None,
    parts: Annotated[
        str | None,
        typer.Option(metavar="N|auto", help="Divide it among the workers; the result is the same."),
    ] = None,
    help_wanted: Help = False,
) -> None:
    """Submit a job to the workers. In a pipe, print its id and nothing else."""
    words = typed_words(context, kind)
    if help_wanted:
        show_help(context, words)
        return
    from scheduler.cli.fields import spec_from

    # Checked before a server is asked: a wrong spec is refused without one.
    wanted = spec_from(words, spec)
    if key == "":
        raise typer.BadParameter("--key is empty: give what tells this submission from others")
    if timezone is not None and start_at is None:
        raise typer.BadParameter("--timezone says whose clocks --start-at means: give both")
    start = moment(start_at, timezone) if start_at is not None else None
    division = wanted_parts(wanted.kind, parts)
    from scheduler.client import Client

    client = Client()
    job = client.submit(
        wanted,
        priority=priority,
        start_at=start.at(client.now()) if start else 0.0,
        after=after or (),
        reuse=reuse,
        key=key,
        parts=division,
    )
    # With these two it may be an older job: its state says more than "submitted" would.
    _tell(job, watch=watch, said=str(job.state) if reuse or key else "submitted")


def extend(
    job: Annotated[str, typer.Argument(metavar="JOB", help="A training, by its id or the beginning of it.")],
    epochs: Annotated[int, typer.Option(help="Epochs in all, those that it has done included.", min=1)],
    watch: Annotated[
        bool, typer.Option("--watch", help="Show a live progress bar until it has ended.")
    ] = False,
    priority: Annotated[int, typer.Option(help="0 (most urgent) to 9.", min=0, max=9)] = 5,
    key: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Submitting again with the same key gives the same job."),
    ] = None,
) -> None:
    """Continue a finished training up to more epochs, from its last checkpoint.

    It ends like one that was asked for all the epochs at once, bit for bit. In a pipe, print its id alone.
    """
    from scheduler.client import Client

    extended: Job[Any] = Client().extend(job, epochs, priority=priority, key=key)
    _tell(extended, watch=watch)


def _tell(job: "Job[Any]", *, watch: bool, said: str = "submitted") -> None:
    if not in_terminal():
        say(job.id)
    elif not watch:
        say(Text.assemble(said, " ", (job.kind, "cyan"), " ", (job.id, "bold")))
        note(Text(f"follow it with `triptych watch {job.id}`", style="dim"))
    if watch:
        from scheduler.cli.follow import follow

        follow(job)


def wanted_parts(kind: str, text: str | None) -> "Wanted | None":
    """What `--parts` asks for.

    Raises:
        InvalidSpec: the kind cannot be divided, or not into so many.
    """
    if text is None:
        return None
    from jobs import catalog
    from jobs.dividing.parts import checked_wanted

    catalog.checked_divisible(kind)
    return checked_wanted(int(text) if text.isdecimal() else text)


def run(
    context: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND|FILE --FIELD VALUE ...",
            help="A kind with fields, or a spec as JSON.",
            autocompletion=offered_kinds,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(parser=paths.given, metavar="FOLDER", help="Save all results here.")
    ] = None,
    data: Data = None,
    help_wanted: Help = False,
) -> None:
    """Run a spec in this process and save its results in a folder: no queue, no servers."""
    words = typed_words(context, target)
    if help_wanted:
        show_help(context, words)
        return
    if out is None:
        raise typer.BadParameter("say where the files shall go: --out FOLDER")
    from scheduler.cli.fields import spec_of

    spec = spec_of(words)
    from scheduler.cli.running import run_showing

    result = run_showing(spec, out, named_paths(data))
    show_rows(("", ""), [(name, str(value)) for name, value in result.model_dump(mode="json").items()])
    note(f"everything is in {out}")


def named_paths(items: list[str] | None) -> dict[str, Path]:
    """What `--data` names.

    Raises:
        BadParameter: something is not of the form NAME=PATH.
    """
    found = {}
    for text in items or ():
        name, given, path = text.partition("=")
        if not (name and given and path):
            raise typer.BadParameter(f"--data takes NAME=PATH, received {text!r}")
        found[name] = Path(path)
    return found


def typed_words(context: typer.Context, first: str | None) -> list[str]:
    """All that is no option of ours, from the kind on."""
    return [*([first] if first is not None else []), *context.args]


def show_help(context: typer.Context, words: list[str]) -> None:
    """The help of a command, and after a kind that kind's fields."""
    typer.echo(context.get_help())
    from jobs import catalog
    from scheduler.cli.kinds import show_fields

    if words and not words[0].startswith("--"):
        show_fields(catalog.spec_type(words[0]))
    else:
        note("`triptych kinds` lists the kinds and their fields")
