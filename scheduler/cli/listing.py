"""`triptych jobs` and `triptych show`: what was asked for, and what became of it."""

import json as jsonlib
from dataclasses import asdict
from time import localtime, strftime, time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from scheduler.cli.completion import offered_kinds
from scheduler.cli.follow import JobId
from scheduler.cli.moment import past
from scheduler.cli.output import Cell, note, show_json, show_rows

if TYPE_CHECKING:
    from scheduler.job import Job
    from scheduler.record import JobRecord

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def jobs(
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.", case_sensitive=False)] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only jobs of this kind.", autocompletion=offered_kinds)
    ] = None,
    limit: Annotated[int, typer.Option(help="Show at most this many.", min=1)] = 20,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Submitted since 2026-01, 2026-01-15 or 30d ago; also archived jobs."
        ),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Submitted before this time.")] = None,
    parts: Annotated[bool, typer.Option("--parts", help="Also list the parts of divided jobs.")] = False,
    json: _Json = False,
) -> None:
    """List jobs, the newest first."""
    from scheduler.client import Client

    first, last = past(since, "--since"), past(until, "--until")
    listed = Client().list(state.upper() if state else None, kind, limit, since=first, until=last)
    found = [
        record
        for job in listed
        for record in (job.record, *(job.parts() if parts and job.record.parts else ()))
    ]
    if json:
        show_json([asdict(record) for record in found])
        return
    columns = ("job", "kind", "state", "submitted", "took", "progress")
    show_rows(columns, [_row(record) for record in found], cut=True)
    if not found:
        note("no such jobs" if state or kind else "no jobs yet: submit one with `triptych submit KIND`")


def show(job_id: JobId, json: _Json = False) -> None:
    """Show everything about a job: state, times, worker, attempts, parts, spec, result."""
    from scheduler.client import Client

    job = Client().get(job_id)
    record = job.record
    attempts = job.past_attempts()
    result = job.result().model_dump(mode="json") if record.state == "SUCCEEDED" else None
    if json:
        show_json(
            {
                **asdict(record),
                "log": job.log_key,
                "attempts": attempts,
                "result": result,
                "divided_into": [asdict(part) for part in job.parts()],
            }
        )
        return
    rows = _facts(job, record)
    rows += [(f"attempt {item['attempt']}", _ended(item)) for item in attempts]
    rows += [(f"part {each.part.number}", _part(each)) for each in job.parts() if each.part]
    rows += [
        (f"spec.{name}", _text(value) + (f" ({record.names[name]})" if name in record.names else ""))
        for name, value in record.spec.items()
        if name != "kind"
    ]
    rows += [(f"result.{name}", _text(value)) for name, value in (result or {}).items()]
    show_rows(("", ""), rows)


def _row(record: "JobRecord") -> tuple[Cell, ...]:
    from jobs.context import duration
    from scheduler.display import standing

    return (
        f"  {record.id}" if record.whole else record.id,
        record.kind,
        _coloured(record),
        f"{duration(max(time() - record.created, 0))} ago",
        _took(record),
        standing(record),
    )


def _facts(job: "Job[Any]", record: "JobRecord") -> list[tuple[Cell, Cell]]:
    from scheduler.display import standing

    facts: list[tuple[Cell, Cell]] = [
        ("job", record.id),
        ("kind", record.kind),
        ("state", _coloured(record)),
        ("progress", standing(record)),
        ("pool", record.pool),
        ("priority", str(record.priority)),
        ("submitted", _moment(record.created)),
        ("started", _moment(record.started)),
        ("finished", _moment(record.finished)),
        ("took", _took(record)),
        ("worker", record.worker),
        ("attempt", str(record.attempt) if record.attempt else ""),
        ("failures", str(record.failures) if record.failures else ""),
        ("waits for", ", ".join(record.parents)),
        ("schedule", f"{record.schedule} {_moment(record.tick)}".strip()),
        ("parts", f"{record.parts_done} of {record.parts} done" if record.parts else ""),
        ("part of", record.whole),
        ("archived", "yes" if record.archived else ""),
        ("deleted", ", ".join(record.removed)),
        ("log", job.log_key if record.attempt else ""),
    ]
    return [(name, value) for name, value in facts if str(value)]


def _coloured(record: "JobRecord") -> Text:
    from scheduler.display import STYLES

    asked = ""
    if record.cancel_requested and not record.state.final:
        asked = " (cancelling)"
    elif record.pause_requested and record.state == "RUNNING":
        asked = " (pausing)"
    return Text(f"{record.state}{asked}", style=STYLES[record.state])


def _took(record: "JobRecord") -> str:
    from jobs.context import duration

    if record.started is None:
        return ""
    return duration(max((record.finished or time()) - record.started, 0))


def _moment(seconds: float | None) -> str:
    return strftime("%Y-%m-%d %H:%M:%S", localtime(seconds)) if seconds else ""


def _ended(item: dict[str, Any]) -> str:
    why = ": ".join(str(item[name]) for name in ("cause", "message") if item.get(name))
    return f"on {item.get('worker', '?')}, ended {_moment(item.get('ended'))} {why}".strip()


def _part(record: "JobRecord") -> Text:
    from scheduler.display import standing

    said = [f" {record.id}"]
    said += [f"on {record.worker}"] if record.worker else []
    said += [standing(record)] if record.attempt else []
    return Text.assemble(_coloured(record), " · ".join(said))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else jsonlib.dumps(value)
