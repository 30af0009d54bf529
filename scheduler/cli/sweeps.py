"""`triptych sweep` and `triptych sweeps`: searches for the best values of fields."""

import tempfile
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli import paths
from scheduler.cli.completion import offered_kinds
from scheduler.cli.exits import FAILED, INTERRUPTED
from scheduler.cli.output import in_terminal, note, say, show_json, show_rows
from scheduler.cli.submit import Help, show_help, typed_words

if TYPE_CHECKING:
    from rich.table import Table

    from scheduler.sweeps.spaces import AnyRange
    from scheduler.sweeps.sweeps import Sweep

app = typer.Typer(
    help="Searches for the best values of fields: `triptych sweep` begins one.", no_args_is_help=True
)

SweepId = Annotated[str, typer.Argument(metavar="SWEEP", help="Its id, or the beginning of it.")]
#: Seconds between two looks.
_PAUSE = 1.0
#: Trials of a live table: the newest.
_ROWS = 30


def sweep(
    context: typer.Context,
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND --FIELD VALUE|RANGE ...",
            help="Such as gan.train --learning-rate 'log(1e-5,1e-2)' --channels 'int(16,64,16)' "
            "--architecture 'choice(dcgan,wgan-gp)'.",
            autocompletion=offered_kinds,
        ),
    ] = None,
    metric: Annotated[str, typer.Option(help="The number of the result to go by.")] = "",
    direction: Annotated[str, typer.Option(help="min or max: which values are better.")] = "min",
    trials: Annotated[int, typer.Option(help="How many sets of values to try.", min=1)] = 20,
    at_once: Annotated[int, typer.Option(help="Trials that run beside each other.", min=1)] = 1,
    sweep_seed: Annotated[int, typer.Option(help="Seed of the search.", min=0)] = 0,
    sampler: Annotated[str, typer.Option(help="tpe, random or grid.")] = "tpe",
    rungs: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Successive halving: epochs after which trials are compared."),
    ] = None,
    reduction: Annotated[
        int, typer.Option(help="One of so many trials goes on to the next rung.", min=2)
    ] = 3,
    asynchronous: Annotated[
        bool, typer.Option("--asynchronous", help="Faster, and not reproducible.")
    ] = False,
    priority: Annotated[int, typer.Option(help="0 (most urgent) to 9.", min=0, max=9)] = 5,
    watch: Annotated[bool, typer.Option("--watch", help="Show a live table until it has ended.")] = False,
    help_wanted: Help = False,
) -> None:
    """Search for the values of fields with the best metric; every trial is a job. In a pipe, print the id.

    Ranges: log(1e-5,1e-2), uniform(0,1), int(16,64), int(16,64,16), int(1,100,log), choice(a,b,c).
    """
    words = typed_words(context, kind)
    if help_wanted:
        show_help(context, words)
        return
    if not metric:
        raise typer.BadParameter("--metric is missing: the number of the result to go by")
    from scheduler.client import Client
    from scheduler.sweeps.sweeps import checked_sweep

    base, space = _told(words)
    fields = {
        "metric": metric,
        "direction": direction,
        "trials": trials,
        "at_once": at_once,
        "seed": sweep_seed,
        "sampler": sampler,
        "rungs": _numbers(rungs),
        "reduction": reduction,
        "asynchronous": asynchronous,
        "priority": priority,
    }
    begun = Client().sweeps.start(checked_sweep(base, space, fields))
    if in_terminal():
        say(f"submitted sweep {begun.id}")
        note(f"follow it with `triptych sweeps watch {begun.id}`")
    else:
        say(begun.id)
    if watch:
        _follow(begun)


@app.command("list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the sweeps, the newest first."""
    from scheduler.client import Client

    rows = [_summary(each) for each in Client().sweeps.list()]
    if json:
        show_json(rows)
        return
    show_rows(
        ("sweep", "kind", "state", "trials", "metric", "best", "job"),
        [tuple(map(_cell, row.values())) for row in rows],
    )


@app.command()
def show(
    sweep_id: SweepId, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Show the trials of a sweep: values, rung, state, metric."""
    from scheduler.client import Client

    found = Client().sweeps.get(sweep_id)
    table = found.table()
    if json:
        show_json({**_summary(found), "message": found.message, "trials": table})
        return
    show_rows(tuple(_headings(found)), [tuple(map(_cell, row.values())) for row in table])
    note(_standing(found))


@app.command()
def watch(sweep_id: SweepId) -> None:
    """Show a live table of the trials until the sweep has ended. Ctrl-C leaves it running."""
    from scheduler.client import Client

    _follow(Client().sweeps.get(sweep_id))


@app.command()
def report(
    sweep_id: SweepId,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=paths.given, metavar="FILE", help="Write the page here instead of opening a browser."
        ),
    ] = None,
) -> None:
    """Open the page of a sweep: history, parallel coordinates, importances, pictures, all trials."""
    from scheduler.client import Client

    found = Client().sweeps.get(sweep_id)
    path = out or Path(tempfile.mkdtemp(prefix="triptych-report-")) / f"{found.id}.html"
    path.write_text(found.report(), encoding="utf-8")
    say(str(path))
    if out is None and in_terminal():
        webbrowser.open(path.absolute().as_uri())


@app.command()
def cancel(sweep_id: SweepId) -> None:
    """End a sweep with its trials. What they came to stays."""
    from scheduler.client import Client

    say(str(Client().sweeps.get(sweep_id).cancel()))


def _told(words: Sequence[str]) -> "tuple[dict[str, Any], dict[str, AnyRange]]":
    """The spec of the trials as JSON, and the ranges of the fields that are searched."""
    from jobs import catalog
    from scheduler.cli.fields import parse_fields, split_kind
    from scheduler.sweeps.spaces import parse

    kind, rest = split_kind(words)
    if kind is None:
        raise typer.BadParameter("say what to search: a KIND; `triptych kinds` lists them")
    spec = catalog.spec_type(kind)
    space: dict[str, AnyRange] = {}
    plain: list[str] = []
    left = list(rest)
    while left:
        name, equals, value = left.pop(0).partition("=")
        if not equals and left and not left[0].startswith("--"):
            value = left.pop(0)
        if name.startswith("--") and (found := parse(value)) is not None:
            space[name.removeprefix("--").replace("-", "_")] = found
        else:
            plain += [name, value] if value or equals else [name]
    if not space:
        raise typer.BadParameter("say what to search: a field with a range, such as --seed 'int(0,9)'")
    return {"kind": kind, **parse_fields(spec, plain)}, space


def _numbers(text: str | None) -> list[int]:
    try:
        return [int(part) for part in text.split(",")] if text else []
    except ValueError:
        raise typer.BadParameter(
            f"--rungs takes numbers of epochs, such as 3,9,27; received {text!r}"
        ) from None


def _summary(found: "Sweep") -> dict[str, Any]:
    trials, spec = found.trials(), found.spec
    done = sum(trial.ended(0) for trial in trials)
    ranking = found.ranking()
    last = [each for each in ranking[0].outcomes if each.value is not None][-1] if ranking else None
    return {
        "sweep": found.id,
        "kind": spec.base["kind"],
        "state": str(found.state),
        "trials": f"{done}/{spec.trials}",
        "metric": spec.metric,
        "best": last.value if last else None,
        "job": last.job if last else None,
    }


def _headings(found: "Sweep") -> list[str]:
    return [
        "trial",
        *sorted(found.spec.space, key=list(found.spec.space).index),
        "rung",
        "job",
        "state",
        found.spec.metric,
        "cause",
    ]


def _standing(found: "Sweep") -> str:
    told = _summary(found)
    best = "" if told["best"] is None else f" · best {told['metric']} {told['best']:.6g} of job {told['job']}"
    return f"{told['state']} · {told['trials']} trials{best}" + (
        f" · {found.message}" if found.message else ""
    )


def _follow(found: "Sweep") -> None:
    try:
        if in_terminal():
            _live(found)
        else:
            shown = ""
            while True:
                line = _standing(found)
                if line != shown:
                    say(line)
                    shown = line
                if found.state != "RUNNING":
                    break
                time.sleep(_PAUSE)
    except KeyboardInterrupt:
        note(f"the sweep goes on; `triptych sweeps watch {found.id}` shows it again")
        raise typer.Exit(INTERRUPTED) from None
    if found.state != "SUCCEEDED":
        raise typer.Exit(FAILED)


def _live(found: "Sweep") -> None:
    from rich.live import Live

    with Live(_drawn(found), refresh_per_second=2) as live:
        while found.state == "RUNNING":
            time.sleep(_PAUSE)
            live.update(_drawn(found))


def _drawn(found: "Sweep") -> "Table":
    from rich.table import Table

    table = Table(title=_standing(found), title_justify="left")
    for name in _headings(found)[:-1]:
        table.add_column(name)
    for row in found.table()[-_ROWS:]:
        table.add_row(*map(_cell, list(row.values())[:-1]))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
