"""`triptych schedule`: jobs that are submitted again and again."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from scheduler.cli import paths
from scheduler.cli.completion import SpecCommand, offered_kinds
from scheduler.cli.output import Cell, in_terminal, note, say, show_json, show_rows
from scheduler.cli.submit import OPEN, Help, show_help, typed_words, wanted_parts

if TYPE_CHECKING:
    from scheduler.client import Client
    from scheduler.schedules.schedule import Schedule

Name = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]

app = typer.Typer(help="Jobs that are submitted again and again.", no_args_is_help=True)


@app.command(cls=SpecCommand, context_settings=OPEN)
def add(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The name for it, such as nightly.")
    ] = None,
    cron: Annotated[
        str | None,
        typer.Argument(
            metavar="'CRON'",
            help="Minute, hour, day of the month, month, day of the week, in quotes: '0 2 * * *'; six fields "
            "begin with seconds.",
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND --FIELD VALUE ...",
            help="Such as gan.train --epochs 20. Data sets and models are looked up at each tick.",
            autocompletion=offered_kinds,
        ),
    ] = None,
    timezone: Annotated[
        str, typer.Option(metavar="ZONE", help="Whose clocks it means, such as Europe/Berlin.")
    ] = "UTC",
    missed: Annotated[
        str,
        typer.Option(metavar="once|skip", help="Ticks while no scheduler was up: one job for all, or none."),
    ] = "once",
    overlap: Annotated[
        str,
        typer.Option(
            metavar="allow|skip|cancel",
            help="A tick while an earlier job has not ended: another job, none, or cancel the earlier one.",
        ),
    ] = "allow",
    spec: Annotated[
        Path | None,
        typer.Option(
            parser=paths.given,
            metavar="FILE",
            help="A spec as JSON, `-` for stdin; fields given here replace those in it.",
        ),
    ] = None,
    priority: Annotated[int, typer.Option(help="Of its jobs, 0 (most urgent) to 9.", min=0, max=9)] = 5,
    parts: Annotated[
        str | None, typer.Option(metavar="N|auto", help="Divide its jobs among the workers.")
    ] = None,
    help_wanted: Help = False,
) -> None:
    """Submit a job at each tick of a cron expression."""
    words = typed_words(context, kind)
    if help_wanted:
        show_help(context, words)
        return
    if name is None or cron is None:
        raise typer.BadParameter(
            "say which schedule: NAME 'CRON' KIND, such as nightly '0 2 * * *' gan.train"
        )
    from scheduler.cli.fields import spec_from
    from scheduler.schedules.cron import Cron

    # Checked before a server is asked: a wrong one is refused without one. The expression first: without
    # quotes its fields become words of the spec.
    Cron(cron, timezone)
    wanted = spec_from(words, spec)
    division = wanted_parts(wanted.kind, parts)
    from scheduler.client import Client

    client = Client()
    schedule = client.schedules.add(
        name,
        cron,
        wanted,
        timezone=timezone,
        missed=missed,
        overlap=overlap,
        priority=priority,
        parts=division,
    )
    times = ", ".join(_times(schedule, client.now()))
    say(f"schedule {schedule.name}: next at {times}" if times else f"schedule {schedule.name}: never due")


@app.command("list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the schedules: their next three times, their last job and how it ended."""
    from scheduler.client import Client

    client = Client()
    schedules, now = client.schedules.list(), client.now()
    if json:
        show_json([_data(client, schedule, now) for schedule in schedules])
        return
    columns = ("schedule", "when", "kind", "next", "last job")
    show_rows(columns, [_row(client, schedule, now) for schedule in schedules])
    if not schedules:
        note("no schedules yet: add one with `triptych schedule add NAME 'CRON' KIND`")


@app.command()
def pause(name: Name) -> None:
    """Let its ticks pass without a job, until it is resumed. Jobs of it that run go on."""
    from scheduler.client import Client

    schedule = Client().schedules.pause(name)
    note(f"schedule {schedule.name} is paused; `triptych schedule resume {schedule.name}` ends that")


@app.command()
def resume(name: Name) -> None:
    """Submit its jobs again, from the next tick on. Ticks that passed meanwhile are not made up for."""
    from scheduler.client import Client

    client = Client()
    schedule = client.schedules.resume(name)
    times = ", ".join(_times(schedule, client.now())) or "no time"
    note(f"schedule {schedule.name}: next at {times}")


@app.command()
def remove(name: Name) -> None:
    """Remove a schedule. Its jobs stay, and those that run go on."""
    from scheduler.client import Client

    Client().schedules.remove(name)
    note(f"schedule {name} is removed; its jobs stay")


@app.command()
def run(name: Name) -> None:
    """Submit its job now, besides its ticks. In a pipe, print the id and nothing else."""
    from scheduler.client import Client

    job = Client().schedules.run(name)
    if not in_terminal():
        say(job.id)
        return
    say(Text.assemble("submitted ", (job.kind, "cyan"), " ", (job.id, "bold")))
    note(Text(f"follow it with `triptych watch {job.id}`", style="dim"))


def _row(client: "Client", schedule: "Schedule", now: float) -> tuple[Cell, ...]:
    times = _times(schedule, now)
    between = "\n" if in_terminal() else "; "
    return (
        schedule.name,
        f"{schedule.cron} {schedule.timezone}",
        schedule.spec["kind"],
        between.join(times) if times else "paused" if schedule.paused else "never",
        between.join(part for part in (_last_job(client, schedule), schedule.note) if part),
    )


def _last_job(client: "Client", schedule: "Schedule") -> str:
    from scheduler.errors import UnknownJob

    if not schedule.last_job:
        return "none yet"
    try:
        record = client.get(schedule.last_job).record
    except UnknownJob:
        return f"{schedule.last_job} (deleted)"
    why = f" {record.cause}: {record.message}" if record.cause else ""
    return f"{record.id} {record.state}{why}"


def _times(schedule: "Schedule", now: float) -> list[str]:
    from scheduler.schedules.moments import zone_of

    zone = zone_of(schedule.timezone)
    return [
        datetime.fromtimestamp(tick, zone).strftime("%a %Y-%m-%d %H:%M:%S %Z")
        for tick in schedule.following(now)
    ]


def _data(client: "Client", schedule: "Schedule", now: float) -> dict[str, Any]:
    from scheduler.errors import UnknownJob

    try:
        state = str(client.get(schedule.last_job).state) if schedule.last_job else None
    except UnknownJob:
        state = None
    return {**asdict(schedule), "next": schedule.following(now), "last_state": state}
