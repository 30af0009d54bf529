"""`triptych delete`, `prune` and `doctor`: what goes, and what is there."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.completion import offered_kinds
from scheduler.cli.exits import FAILED, ended_by
from scheduler.cli.output import Cell, in_terminal, note, say, show_json, show_rows
from scheduler.states import What

if TYPE_CHECKING:
    from scheduler.client import Client
    from scheduler.doctor import Findings
    from scheduler.leftovers import Leftovers
    from scheduler.pruning import Pruned

#: Findings of one sort that are shown.
_SHOWN = 20
_WHAT = Annotated[
    What,
    typer.Option(
        help="checkpoints; artifacts, which are these, pictures and models; or all, which is the record, too."
    ),
]


def delete(
    job_ids: Annotated[
        list[str], typer.Argument(metavar="JOB...", help="Their ids, or unique prefixes of them.")
    ],
    what: _WHAT = What.ALL,
    force: Annotated[
        bool, typer.Option("--force", help="Also jobs that others were made from, and named models.")
    ] = False,
) -> None:
    """Delete jobs for good: record, artifacts, checkpoints. Refused while something needs them."""
    from scheduler.client import Client
    from scheduler.errors import TriptychError

    client, failed = Client(), False
    for job_id in job_ids:
        try:
            full = client.get(job_id).id
            freed = client.delete(full, what, force=force)
        except TriptychError as error:  # the others go nevertheless
            if len(job_ids) == 1:
                raise
            ended_by(error)
            failed = True
        else:
            gone = "is deleted" if what is What.ALL else f"has lost its {what}"
            say(f"job {full} {gone}: {freed.objects} objects, {size(freed.bytes)}")
    if failed:
        raise typer.Exit(FAILED)


def prune(
    older_than: Annotated[
        str, typer.Option(metavar="TIME", help="Jobs that ended so long ago, such as 30d or 12h.")
    ],
    kind: Annotated[
        str | None, typer.Option(help="Only jobs of this kind.", autocompletion=offered_kinds)
    ] = None,
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.", case_sensitive=False)] = None,
    what: _WHAT = What.ALL,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Delete nothing; show what would be deleted.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Delete old jobs, the oldest first, and what nothing refers to. What something needs stays.

    Without --kind and --state also uploads, cached objects and pieces of results that nothing refers to.
    """
    from scheduler.client import Client
    from scheduler.durations import seconds

    try:
        age = seconds(older_than)
    except ValueError as error:
        raise typer.BadParameter(f"--older-than: {error}; received {older_than!r}") from None
    client, everything = Client(), kind is None and state is None
    wanted: dict[str, Any] = {"kind": kind, "state": state.upper() if state else None, "what": what}
    if not (dry_run or yes) and in_terminal():
        would = client.prune(age, dry_run=True, **wanted)
        say(f"{_gone(would, what)}, and what nothing refers to" if everything else _gone(would, what))
        typer.confirm("Delete this for good?", abort=True)
    pruned = _shown(client, age, dry_run, wanted)
    left = _leftovers(client, age, dry_run) if everything else None
    if json:
        show_json({"dry_run": dry_run, **asdict(pruned), "leftovers": asdict(left) if left else None})
        return
    would_be = "would be deleted" if dry_run else "deleted"
    rows: list[tuple[Cell, ...]] = [
        (f"jobs ({what})", str(pruned.freed.jobs), str(pruned.freed.objects), size(pruned.freed.bytes))
    ]
    if left:
        rows.append(("what nothing refers to", "", str(left.freed.objects), size(left.freed.bytes)))
    show_rows((would_be, "jobs", "objects", "bytes"), rows)
    if pruned.kept:
        note(f"{pruned.kept} more stay, as jobs that have not ended, or others, need them")
    if left and left.unknown:
        note(
            f"the store has {left.unknown} jobs that Redis has lost, so nothing else was looked for: run "
            "`triptych recover` first"
        )


def doctor(
    grace: Annotated[
        str, typer.Option(metavar="TIME", help="Pass over what is younger: it may be under way.")
    ] = "1h",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check all objects and records: what belongs to what, what is missing, what is left over."""
    from scheduler.client import Client
    from scheduler.doctor import Doctor
    from scheduler.durations import seconds

    try:
        young = seconds(grace)
    except ValueError as error:
        raise typer.BadParameter(f"--grace: {error}; received {grace!r}") from None
    client = Client()
    found = Doctor(client.records, client.store, young).look()
    if json:
        show_json({"healthy": found.healthy, **asdict(found)})
    else:
        _show(found)
    if not found.healthy:
        raise typer.Exit(FAILED)


def size(count: int) -> str:
    """Bytes, as people read them: 1.4 GB."""
    number, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def _shown(client: "Client", age: float, dry_run: bool, wanted: dict[str, Any]) -> "Pruned":
    """Prunes, with a bar in a terminal."""
    if not in_terminal():
        return client.prune(age, dry_run=dry_run, **wanted)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from scheduler.cli.output import margin

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=margin(), transient=True) as bar:
        task = bar.add_task("looking" if dry_run else "deleting", total=None)

        def progress(done: "Pruned") -> None:
            bar.update(task, completed=done.seen, total=done.of)

        return client.prune(age, dry_run=dry_run, progress=progress, **wanted)


def _leftovers(client: "Client", age: float, dry_run: bool) -> "Leftovers":
    from scheduler.leftovers import remove_leftovers

    return remove_leftovers(client.records, client.store, age, dry_run=dry_run)


def _gone(pruned: "Pruned", what: What) -> str:
    of = "" if what is What.ALL else f"the {what} of "
    return f"{of}{pruned.freed.jobs} jobs: {pruned.freed.objects} objects, {size(pruned.freed.bytes)}"


def _show(found: "Findings") -> None:
    if found.caches:
        caches = [(each.worker, size(each.bytes), size(each.limit)) for each in found.caches]
        show_rows(("cache of worker", "bytes", "at most"), caches)
    show_rows(
        ("in the store", "objects", "bytes"),
        [(name, str(total.objects), size(total.bytes)) for name, total in sorted(found.sorts.items())],
    )
    show_rows(
        ("of jobs of kind", "objects", "bytes"),
        [(kind, str(total.objects), size(total.bytes)) for kind, total in sorted(found.kinds.items())],
    )
    show_rows(("jobs", ""), [(state, str(count)) for state, count in sorted(found.jobs.items())])
    if found.references:
        show_rows(("references", ""), [(name, str(count)) for name, count in found.references.items()])
    if found.holders:
        held = [(holder, ", ".join(sorted(targets))) for holder, targets in sorted(found.holders.items())]
        show_rows(("refers to", ""), held[:_SHOWN], cut=True)
    faults = [("missing", text) for text in found.missing]
    faults += [("not in Redis", f"job {job_id}: `triptych recover` enters it") for job_id in found.unknown]
    for why, items in found.left.items():
        total = sum(item.size for item in items)
        faults.append(("left over", f"{why}: {len(items)} objects, {size(total)}, first {items[0].key}"))
    faults += [("left over", f"{key} in Redis") for key in found.stray]
    faults += [("left over", f"lines of deleted jobs in the archive of {day}") for day in found.stale]
    if faults:
        show_rows(("fault", ""), faults[:_SHOWN])
    if len(faults) > _SHOWN:
        note(f"and {len(faults) - _SHOWN} more; --json has all of them")
    if found.pending:
        note(
            f"{len(found.pending)} deletions are under way; the scheduler, or `triptych prune`, finishes them"
        )
    if found.healthy:
        note("everything belongs to something, and nothing is missing")
    elif found.left or found.stray or found.stale:
        note("`triptych prune --older-than TIME` removes what is left over")
