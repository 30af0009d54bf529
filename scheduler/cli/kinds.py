"""`triptych kinds`: every kind of job with its fields, from the specs themselves."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from scheduler.cli.completion import offered_groups
from scheduler.cli.output import in_terminal, say, show_json, show_rows, show_rule

if TYPE_CHECKING:
    from jobs.catalog import AnySpec
    from scheduler.cli.schema import SpecField


def kinds(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="Only this kind, or those of this technique or application.", autocompletion=offered_groups
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every kind of job with its fields, defaults and limits.

    In a pipe: one field a line, its kind first, cells parted by tabs.
    """
    specs = _chosen(kind)
    if json:
        show_json([_as_data(spec) for spec in specs])
    elif in_terminal() and [spec.kind for spec in specs] == [kind]:
        show_fields(specs[0])
    elif in_terminal():
        _show_groups(specs)
        _show_shared()
    else:
        from scheduler.cli.schema import fields_of

        for spec in specs:
            show_rows((), [(spec.kind, *_cells(field)) for field in fields_of(spec)])


def _chosen(name: str | None) -> "list[type[AnySpec]]":
    """All kinds, one, or those of a technique or an application."""
    from jobs import catalog

    kinds = catalog.kinds()
    if name is None:
        return list(kinds.values())
    if name not in kinds and (inside := [kind for kind in kinds if kind.startswith(f"{name}.")]):
        return [kinds[kind] for kind in inside]
    return [catalog.spec_type(name)]


def _show_groups(specs: "Sequence[type[AnySpec]]") -> None:
    """Kinds by technique, and within it by application."""
    from jobs import catalog

    applications: dict[str, list[type[AnySpec]]] = defaultdict(list)
    for spec in specs:
        applications[catalog.application_of(spec.kind)].append(spec)
    techniques = groupby(sorted(applications), key=catalog.technique_of)
    for technique, names in techniques:
        show_rule(technique)
        for name in names:
            about_it = catalog.about_application(name)
            say(Text(about_it) if name == technique else Text.assemble((name, "bold"), "  ", about_it))
            say("")
            for spec in applications[name]:
                show_fields(spec, shared=False)


def show_fields(spec: "type[AnySpec]", shared: bool = True) -> None:
    """One kind with its fields, and with those that every kind shares if wanted."""
    from scheduler.cli.schema import about, fields_of

    say(Text.assemble((spec.kind, "bold cyan"), "  ", about(spec)))
    _show([field for field in fields_of(spec) if shared or not field.shared])


def _show_shared() -> None:
    from jobs.spec import JobSpec
    from scheduler.cli.schema import fields_of

    say(Text("Every kind takes these as well", style="bold"))
    _show([field for field in fields_of(JobSpec) if field.shared])


def _show(fields: "Sequence[SpecField]") -> None:
    rows = []
    for field in fields:
        name, kind, default, limits, meaning = _cells(field)
        rows.append((name, f"{kind}: {limits}" if limits else kind, default, meaning))
    show_rows(("field", "takes", "default", "meaning"), rows)
    say("")


def _cells(field: "SpecField") -> tuple[str, str, str, str, str]:
    return field.flag, field.type, field.default_text, field.limits, field.description


def _as_data(spec: "type[AnySpec]") -> dict[str, Any]:
    from jobs import catalog
    from scheduler.cli.schema import about, fields_of

    return {
        "kind": spec.kind,
        "technique": catalog.technique_of(spec.kind),
        "application": catalog.application_of(spec.kind),
        "about": about(spec),
        "fields": [
            {
                "name": field.name,
                "type": field.type,
                "required": field.required,
                "default": field.default,
                "limits": field.limits,
                "description": field.description,
            }
            for field in fields_of(spec)
        ],
        "result": [
            {"name": name, "description": info.description or ""}
            for name, info in spec.result_type.model_fields.items()
        ],
    }
