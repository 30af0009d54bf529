"""How the command line speaks: tables in a terminal, plain rows in a pipe, errors on stderr."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.console import Console, OverflowMethod
from rich.table import Table
from rich.text import Text

Cell = str | Text

#: Spaces between columns.
_GAP = 2


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


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[Cell]], cut: bool = False) -> None:
    """A table that fits in a terminal; in a pipe one row a line, cells parted by tabs, nothing cut.

    The first column is never broken: it holds what is typed into the next command. The last one gives way:
    it is wrapped, or with `cut` cut at the edge.
    """
    if not in_terminal():
        for row in rows:
            typer.echo("\t".join(" ".join(str(cell).split()) for cell in row))
        return
    lines = list(rows)
    # Measured here: rich would rather break an id in two than cut a long last column.
    widths = [max(len(str(line[index])) for line in [columns, *lines]) for index in range(len(columns))]
    left = screen().width - sum(widths[:-1]) - _GAP * len(columns)
    table = Table(box=None, padding=(0, _GAP, 0, 0), show_header=any(columns))
    for column in columns[:-1]:
        table.add_column(column, no_wrap=cut or column == columns[0])
    overflow: OverflowMethod = "ellipsis" if cut else "fold"
    table.add_column(columns[-1], no_wrap=cut, overflow=overflow, max_width=max(left, 10) if cut else None)
    for line in lines:
        table.add_row(*line)
    screen().print(table)
