"""What a shell offers at TAB: kinds, their fields, and the values of fields that have few.

Installed by `triptych --install-completion`. A shell that asks gets an answer or nothing: never an error.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from typer.core import TyperCommand

from jobs.errors import TriptychError

if TYPE_CHECKING:
    from jobs.catalog import AnySpec

#: Characters of what is said of an offer.
_WIDTH = 70


@dataclass(frozen=True)
class Offer:
    """A word that a shell offers, in the shape in which typer expects it."""

    value: str
    help: str
    type: str = "plain"


def offered_kinds() -> list[tuple[str, str]]:
    """Every kind, and what it does."""
    from jobs import catalog
    from scheduler.cli.schema import about

    return [(kind, _help(about(spec))) for kind, spec in catalog.kinds().items()]


def offered_groups() -> list[tuple[str, str]]:
    """Every kind, technique and application."""
    from jobs import catalog

    kinds = offered_kinds()
    groups = {catalog.application_of(kind) for kind, _ in kinds}
    groups |= {catalog.technique_of(kind) for kind, _ in kinds}
    return [*((group, f"all of {group}") for group in sorted(groups)), *kinds]


class SpecCommand(TyperCommand):
    """A command that takes a kind and its fields besides its own options: `submit gan.train --epochs 5`."""

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Own options, fields that are not given yet, or the values of the field that is being given."""
        first = ctx.params.get("kind") or ctx.params.get("target")
        words = [str(word) for word in (first, *ctx.args) if word]
        try:
            spec = _spec_of(words, ctx.params.get("spec"))
        except TriptychError:
            spec = None
        own = super().shell_complete(ctx, incomplete)
        if spec is None:
            return own
        options = {name for option in self.params for name in option.opts}  # come before fields of that name
        return own + [
            offer
            for offer in _offers(spec, words)
            if offer.value.startswith(incomplete) and offer.value not in options
        ]


def _spec_of(words: Sequence[str], file: Path | str | None) -> "type[AnySpec] | None":
    """The spec whose fields may follow: of the kind that was typed, or of the one in a file."""
    from jobs import catalog
    from scheduler.cli.fields import read_spec, split_kind

    kind, _ = split_kind(words)
    if kind is not None and kind.endswith(".json"):
        kind, file = None, kind
    if kind is None and file is not None and str(file) != "-":  # what comes on stdin is not there yet
        kind = str(read_spec(Path(file)).get("kind"))
    return catalog.spec_type(kind) if kind else None


def _offers(spec: "type[AnySpec]", words: Sequence[str]) -> Iterator[Offer]:
    from scheduler.cli.schema import fields_of

    fields = {field.flag: field for field in fields_of(spec)}
    # A shell that parts words at "=" gives `--field`, `=` and the value.
    typed = [word.replace("_", "-") for word in words if word != "="]
    if typed and (field := fields.get(typed[-1])) and field.choices:
        yield from (Offer(choice, "") for choice in field.choices)
    elif not typed or typed[-1] not in fields:
        given = {word.partition("=")[0] for word in typed}
        yield from (
            Offer(flag, _help(field.description)) for flag, field in fields.items() if flag not in given
        )


def _help(text: str) -> str:
    # One short line without markup: typer would render and wrap it, and a shell takes each line for an offer.
    return escape(shorten(text, _WIDTH, placeholder="…"))
