"""Paths that people type."""

from pathlib import Path

import typer


def given(text: str | Path) -> Path:
    """A path as it was typed.

    Raises:
        BadParameter: it is empty, which `Path` takes for the current folder: most likely a variable of a
            script that is not set.
    """
    if text == "":
        raise typer.BadParameter("it is empty: give a path, `.` for the current folder")
    return Path(text)
