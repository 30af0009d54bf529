"""`triptych verify-resume`: the proof, on this machine, that a killed job ends like one that was not."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from secrets import randbelow
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from scheduler.cli import paths
from scheduler.cli.completion import offered_kinds
from scheduler.cli.output import Cell, failed, note, say, show_rows
from scheduler.cli.submit import Data, Help, named_paths, show_help, typed_words

if TYPE_CHECKING:
    from jobs.verification.verify import Verification


def verify_resume(
    context: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND|FILE --FIELD VALUE ...",
            help="A kind with fields, or a spec as JSON.",
            autocompletion=offered_kinds,
        ),
    ] = None,
    kills: Annotated[int, typer.Option(help="How many times to kill it.", min=1, max=1000)] = 3,
    seed_of_kills: Annotated[
        int | None, typer.Option(help="Repeat the kills of an earlier run, which printed this number.", min=0)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=paths.given, metavar="FOLDER", help="Keep both runs here, with their logs."),
    ] = None,
    data: Data = None,
    help_wanted: Help = False,
) -> None:
    """Run a spec undisturbed, and again with SIGKILL at random steps; compare the final states bit by bit.

    Exit code 0: they are the same. No queue, no servers.
    """
    words = typed_words(context, target)
    if help_wanted:
        show_help(context, words)
        return
    paths = named_paths(data)
    from scheduler.cli.fields import spec_of

    spec = spec_of(words)
    from jobs.verification import verify as verification

    seed = randbelow(2**31) if seed_of_kills is None else seed_of_kills
    note(f"{spec.kind}, {kills} kills, --seed-of-kills {seed}")
    with ExitStack() as cleanup:
        folder = out or Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="triptych-")))
        found = verification.verify_resume(spec, folder, paths, kills=kills, seed=seed, tell=note)
    _show(found)
    if not found.passed:
        raise typer.Exit(1)


def _show(found: "Verification") -> None:
    kills = [
        (str(number), f"{death.step} of {found.steps}", death.moment, f"step {death.resumed_from}")
        for number, death in enumerate(found.deaths, start=1)
    ]
    show_rows(("kill", "at step", "when", "went on from"), kills)
    show_rows(("what", "run", "SHA-256"), _hashes(found))
    if found.passed:
        say(Text("the same, bit for bit", style="green"))
    elif not found.went_on:
        failed("no attempt went on from a checkpoint, so nothing is proved: give it more steps")
    else:
        arrays = ", ".join(found.differing[:5]) or "none of the state's arrays, but what was made of them"
        failed(f"the runs differ: {arrays}{', ...' if len(found.differing) > 5 else ''}")


def _hashes(found: "Verification") -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for name in sorted({*found.undisturbed, *found.killed}):
        first, second = found.undisturbed.get(name, "none"), found.killed.get(name, "none")
        if first == second:
            rows.append((name, "both", first))
        else:
            rows += [(name, "undisturbed", first), (name, "killed", Text(second, style="red"))]
    return rows
