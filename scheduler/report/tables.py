"""The tables of a report."""

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from time import gmtime, strftime
from typing import Any

from jobs import catalog
from jobs.errors import TriptychError
from scheduler.records import JobRecord
from scheduler.report.material import Material
from scheduler.states import JobState

#: Rows of the table of files: some jobs leave thousands of single images.
_MOST_FILES = 40


def spec_table(record: JobRecord) -> str:
    """The spec: every field; those that differ from their defaults stand out."""
    defaults = _defaults(record)
    rows = []
    for name, value in record.spec.items():
        if name != "kind":
            chosen = ' class="set"' if name not in defaults or defaults[name] != value else ""
            rows.append(f"<tr{chosen}><th>{escape(name)}</th><td>{escape(_text(value))}</td></tr>")
    whole = escape(json.dumps(record.spec, indent=2))
    return (
        '<p class="quiet">Bold: other than the default.</p>'
        f'<div class="table"><table>{"".join(rows)}</table></div>'
        f"<details><summary>as JSON</summary><pre>{whole}</pre></details>"
    )


def _defaults(record: JobRecord) -> dict[str, Any]:
    try:
        spec = catalog.parse(record.spec)
    except TriptychError:  # of a family that is not installed here, or of another version
        return {}
    fields = {name: info for name, info in type(spec).model_fields.items() if not info.is_required()}
    plain = spec.model_copy(
        update={name: info.get_default(call_default_factory=True) for name, info in fields.items()}
    ).to_wire()
    return {name: plain[name] for name in fields}


def attempts_table(material: Material) -> str:
    """Every attempt, and how it ended."""
    record = material.record
    rows = [
        (
            str(item["attempt"]),
            str(item.get("worker") or ""),
            str(item.get("cause") or ("handed over" if item.get("message") else "")),
            str(item.get("message") or ""),
            moment(item.get("ended")),
        )
        for item in material.attempts
    ]
    told = {number for number, *_ in rows}
    rows += [  # of which Redis knows nothing any more
        (str(number), about.get("worker", ""), "", "", "")
        for number, about in material.environments.items()
        if str(number) not in told and number != record.attempt
    ]
    if record.attempt and str(record.attempt) not in told:
        said = record.message if record.state is JobState.FAILED else ""
        state = str(record.cause or record.state)
        rows.append((str(record.attempt), record.worker, state, said, moment(record.finished)))
    head = ("attempt", "worker", "how it ended", "", "when")
    return _grid(head, sorted(rows, key=lambda row: int(row[0]))) if rows else ""


def environment_table(material: Material) -> str:
    """One table, with a column for each place in which an attempt ran."""
    places: dict[str, tuple[list[int], Mapping[str, str]]] = {}
    for attempt, about in sorted(material.environments.items()):
        places.setdefault(json.dumps(about, sort_keys=True), ([], about))[0].append(attempt)
    if not places:
        return ""
    names = list(dict.fromkeys(name for _, about in places.values() for name in about))
    head = ["", *(f"attempt {', '.join(map(str, attempts))}" for attempts, _ in places.values())]
    rows = [[name, *(about.get(name, "") for _, about in places.values())] for name in names]
    return _grid(head if len(places) > 1 else ("", ""), rows)


def files_table(material: Material) -> str:
    """What the job left for people."""
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="number">{size:,} bytes</td></tr>'
        for name, size in list(material.files.items())[:_MOST_FILES]
    )
    more = len(material.files) - _MOST_FILES
    note = f'<p class="quiet">and {more:,} more</p>' if more > 0 else ""
    command = f"triptych artifacts {escape(material.record.id)} --download ."
    get = f'<p class="quiet">All of them: <code>{command}</code></p>'
    return f'<div class="table"><table>{rows}</table></div>{note}{get}' if rows else ""


def result_table(data: Mapping[str, Any]) -> str:
    """What the job left as data."""
    rows = [(name, _text(value)) for name, value in data.items()]
    return _grid(("", ""), rows) if rows else ""


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head) if any(head) else ""
    body = "".join(
        f"<tr><th>{escape(first)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>"
        for first, *rest in rows
    )
    wide = ' class="wide"' if len(head) > 3 else ""
    return f'<div class="table"><table{wide}>{f"<tr>{top}</tr>" if top else ""}{body}</table></div>'


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def moment(seconds: float | None) -> str:
    """A time in UTC, to the second."""
    return strftime("%Y-%m-%d %H:%M:%S", gmtime(seconds)) if seconds else ""
