"""`triptych kinds`: every kind of job with its fields, from the specs themselves."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from scheduler.cli.output import in_terminal, say, show_json, show_rows

if TYPE_CHECKING:
    from jobs.catalog import AnySpec
    from scheduler.cli.schema import SpecField


def kinds(
    kind: Annotated[str | None, typer.Argument(help="Only this kind.")] = None,
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """List every kind of job with its fields, defaults and limits.

    In a pipe: one field a line, its kind first, cells parted by tabs.
    """
    from jobs import catalog

    specs = [catalog.spec_type(kind)] if kind else list(catalog.kinds().values())
    if json:
        show_json([_as_data(spec) for spec in specs])
    elif in_terminal():
        for spec in specs:
            show_fields(spec, shared=bool(kind))
        if not kind:
            _show_shared()
    else:
        from scheduler.cli.schema import fields_of

        for spec in specs:
            show_rows((), [(spec.kind, *_cells(field)) for field in fields_of(spec)])


def show_fields(spec: "type[AnySpec]", shared: bool = True) -> None:
    """One kind with its fields, and with those that every kind shares if wanted."""
    from scheduler.cli.schema import fields_of

    say(Text.assemble((spec.kind, "bold cyan"), "  ", about(spec)))
    _show([field for field in fields_of(spec) if shared or not field.shared])


def about(spec: "type[AnySpec]") -> str:
    """What a kind does, in one line."""
    return (spec.__doc__ or "").strip().partition("\n")[0]


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
    name = "--" + field.name.replace("_", "-")
    return name, field.type, field.default_text, field.limits, field.description


def _as_data(spec: "type[AnySpec]") -> dict[str, Any]:
    from scheduler.cli.schema import fields_of

    return {
        "kind": spec.kind,
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
