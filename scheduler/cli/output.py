"""How the command line speaks: tables in a terminal, plain rows in a pipe, errors on stderr."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

Cell = str | Text


def screen() -> Console:
    """Standard output. Made anew each time, since its file and width may change."""
    return Console(highlight=False)


def in_terminal() -> bool:
    """Whether a person is looking, rather than a pipe or a file."""
    return screen().is_terminal


def say(text: Cell) -> None:
    """One line on stdout; never wrapped, so that ids and paths can be copied."""
    screen().print(text if isinstance(text, Text) else Text(text), soft_wrap=True)


def note(text: Cell) -> None:
    """One line for people on stderr, out of the way of a pipe."""
    Console(stderr=True, highlight=False).print(
        text if isinstance(text, Text) else Text(text), soft_wrap=True
    )


def failed(text: str) -> None:
    """The one line in which an error ends."""
    note(Text.assemble(("error: ", "bold red"), " ".join(text.splitlines())))


def show_json(data: Any) -> None:
    """Data for machines."""
    typer.echo(json.dumps(data, indent=2))


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[Cell]], title: str = "") -> None:
    """A table that fits in a terminal; in a pipe one row a line, cells parted by tabs, nothing cut.

    The first column is never cut: it holds what is typed into the next command. The last one gives way.
    """
    if not in_terminal():
        for row in rows:
            typer.echo("\t".join(" ".join(str(cell).split()) for cell in row))
        return
    table = Table(
        box=None, padding=(0, 2, 0, 0), title=title or None, title_justify="left", title_style="bold"
    )
    for index, column in enumerate(columns):
        last = index == len(columns) - 1
        table.add_column(column, no_wrap=index == 0, overflow="fold", ratio=1 if last else None)
    for row in rows:
        table.add_row(*row)
    screen().print(table)
