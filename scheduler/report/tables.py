"""The tables of a report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import gmtime, strftime
from typing import Any

from jobs import catalog
from jobs.datasets.readable import one_line
from jobs.errors import TriptychError
from scheduler.record import JobRecord
from scheduler.report.material import Material
from scheduler.states import JobState

#: Rows of the table of files: some jobs leave thousands of single images.
MOST_FILES = 40


@dataclass(frozen=True)
class Table:
    """Rows of text; the first of each row is its head."""

    head: Sequence[str]  #: of the columns; empty for none
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Field:
    """A field of a spec."""

    name: str
    text: str
    chosen: bool  #: whether it differs from its default


def spec_fields(record: JobRecord) -> list[Field]:
    """Every field of the spec; of an unknown kind each counts as chosen."""
    defaults = _defaults(record)
    return [
        Field(name, text_of(value), chosen=name not in defaults or defaults[name] != value)
        for name, value in record.spec.items()
        if name != "kind"
    ]


def spec_as_json(record: JobRecord) -> str:
    """The whole spec, to be copied."""
    lines = json.dumps(record.spec, indent=2, ensure_ascii=False).split("\n")
    return "\n".join(map(one_line, lines))


def _defaults(record: JobRecord) -> dict[str, Any]:
    try:
        spec = catalog.parse(record.spec)
    except TriptychError:  # of a family that is not installed here, or of another version
        return {}
    fields = {name: info for name, info in type(spec).model_fields.items() if not info.is_required()}
    plain = spec.model_copy(
        update={name: info.get_default(call_default_factory=True) for name, info in fields.items()}
    ).to_wire()
    return {name: plain.get(name) for name in fields}


def attempts_table(material: Material) -> Table:
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
    return Table(head, sorted(rows, key=lambda row: int(row[0])))


def parts_table(material: Material) -> Table:
    """Every part: which rows, where they were computed, and how fast."""
    rows = []
    for record in material.parts:
        if (part := record.part) is not None:
            ended = record.finished or record.attempt_started
            took = ended - record.attempt_started if ended and record.attempt_started else 0.0
            state = f"{record.cause}: {record.message}" if record.cause else str(record.state)
            whose = "" if record.whole == material.record.id else f" (by job {record.whole})"
            rows.append(
                (
                    str(part.number),
                    f"{part.first:,} to {part.end:,}",
                    record.worker,
                    f"{state}{whose}",
                    str(record.attempt),
                    f"{took:.1f} s" if record.finished else "",
                    f"{part.rows / took:,.1f}" if record.finished and took else "",
                )
            )
    return Table(("part", "rows", "worker", "", "attempts", "last took", "rows/s"), rows)


def environment_table(material: Material) -> Table:
    """One table, with a column for each place in which an attempt ran."""
    places: dict[str, tuple[list[int], Mapping[str, str]]] = {}
    for attempt, about in sorted(material.environments.items()):
        places.setdefault(json.dumps(about, sort_keys=True), ([], about))[0].append(attempt)
    names = list(dict.fromkeys(name for _, about in places.values() for name in about))
    head = ["", *(f"attempt {', '.join(map(str, attempts))}" for attempts, _ in places.values())]
    rows = [[name, *(about.get(name, "") for _, about in places.values())] for name in names]
    return Table(head if len(places) > 1 else (), rows)


def result_table(data: Mapping[str, Any]) -> Table:
    """What the job left as data."""
    return Table((), [(name, text_of(value)) for name, value in data.items()])


def text_of(value: Any) -> str:
    """A value of a spec or a result, in one line."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else one_line(json.dumps(value, ensure_ascii=False))


def moment(seconds: float | None) -> str:
    """A time in UTC, to the second."""
    return strftime("%Y-%m-%d %H:%M:%S", gmtime(seconds)) if seconds else ""
