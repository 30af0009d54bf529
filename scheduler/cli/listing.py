"""`triptych jobs` and `triptych show`: what was asked for, and what became of it."""

import json as jsonlib
from dataclasses import asdict
from time import localtime, strftime, time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from scheduler.cli.follow import JobId
from scheduler.cli.output import Cell, note, show_json, show_rows

if TYPE_CHECKING:
    from scheduler.job import Job
    from scheduler.records import JobRecord

_Json = Annotated[bool, typer.Option("--json", help="For machines.")]


def jobs(
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.", case_sensitive=False)] = None,
    kind: Annotated[str | None, typer.Option(help="Only jobs of this kind.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 20,
    json: _Json = False,
) -> None:
    """List jobs, the newest first."""
    from scheduler.client import Client

    found = [job.record for job in Client().list(state.upper() if state else None, kind, limit)]
    if json:
        show_json([asdict(record) for record in found])
        return
    columns = ("job", "kind", "state", "submitted", "took", "progress")
    show_rows(columns, [_row(record) for record in found], cut=True)
    if not found:
        note("no such jobs" if state or kind else "no jobs yet: submit one with `triptych submit KIND`")


def show(job_id: JobId, json: _Json = False) -> None:
    """Show everything that is known of a job."""
    from scheduler.client import Client

    job = Client().get(job_id)
    record = job.record
    attempts = job.past_attempts()
    result = job.result().model_dump(mode="json") if record.state == "SUCCEEDED" else None
    if json:
        show_json({**asdict(record), "log": job.log_key, "attempts": attempts, "result": result})
        return
    rows = _facts(job, record)
    rows += [(f"attempt {item['attempt']}", _ended(item)) for item in attempts]
    rows += [(f"spec.{name}", _text(value)) for name, value in record.spec.items() if name != "kind"]
    rows += [(f"result.{name}", _text(value)) for name, value in (result or {}).items()]
    show_rows(("", ""), rows)


def _row(record: "JobRecord") -> tuple[Cell, ...]:
    from jobs.context import duration
    from scheduler.display import standing

    return (
        record.id,
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
        ("log", job.log_key if record.attempt else ""),
    ]
    return [(name, value) for name, value in facts if str(value)]


def _coloured(record: "JobRecord") -> Text:
    from scheduler.display import STYLES

    asked = " (cancelling)" if record.cancel_requested and not record.state.final else ""
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


def _text(value: Any) -> str:
    return value if isinstance(value, str) else jsonlib.dumps(value)
