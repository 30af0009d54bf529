"""How the command line speaks: tables in a terminal, plain rows in a pipe, errors on stderr."""

import errno
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import typer
from rich.console import Console, OverflowMethod
from rich.table import Table
from rich.text import Text

from jobs.datasets.readable import one_line

Cell = str | Text

#: Spaces between columns.
_GAP = 2


def screen() -> Console:
    """Standard output. Made anew each time, since its file and width may change."""
    return console_on(sys.stdout)


def margin() -> Console:
    """Standard error, where people are told what is not data."""
    return console_on(sys.stderr)


def in_terminal() -> bool:
    """Whether a person is looking, rather than a pipe or a file."""
    return screen().is_terminal


def console_on(stream: TextIO) -> Console:
    """A console on a stream, with colours if that is a terminal."""
    # Asked of the stream itself: with FORCE_COLOR or TTY_COMPATIBLE set, rich takes a pipe for a terminal,
    # and an id in a pipe would have colour codes and words around it.
    return _Console(file=stream, force_terminal=stream.isatty(), highlight=False)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leaves it to the command to end, as for anything else that is printed."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def say(text: Cell) -> None:
    """One line on stdout, whatever names are in it; never wrapped, so that ids and paths can be copied."""
    _print(screen(), text)


def show_rule(title: str) -> None:
    """A heading across the screen, for people."""
    screen().rule(Text(title, style="bold"), align="left", style="dim")


def note(text: Cell) -> None:
    """One line for people on stderr, out of the way of a pipe."""
    _print(margin(), text)


def _print(console: Console, text: Cell) -> None:
    line = text if isinstance(text, Text) else Text(one_line(text))
    if console.is_terminal:
        console.print(line, soft_wrap=True)
    else:
        # Not through rich, which asks COLUMNS how much of it there is room for.
        print(line.plain, file=console.file)


def failed(text: str) -> None:
    """The one line in which an error ends."""
    note(Text.assemble(("error: ", "bold red"), one_line(" ".join(text.splitlines()))))


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
            typer.echo("\t".join(one_line(" ".join(str(cell).split())) for cell in row))
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
        table.add_row(*map(_verbatim, line))
    screen().print(table)


def _verbatim(cell: Cell) -> Text:
    """A text that rich shows as it is: a name may look like markup, or hold what moves the cursor."""
    if isinstance(cell, Text):
        return cell
    return Text("\n".join(map(one_line, cell.split("\n"))))
