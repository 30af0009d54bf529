"""`triptych datasets`: the data sets that specs can name."""

from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli.output import say, show_rows

app = typer.Typer(help="Data sets that specs can name.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List the data sets: those that come with Triptych, then your own."""
    from scheduler.client import Client

    show_rows(
        ("data set", "images", "shape", "classes", "about"),
        [
            (
                info.name,
                str(info.count),
                "×".join(str(length) for length in info.shape),
                str(len(info.class_names)),
                info.title or f"your own, {info.digest[:12]}",
            )
            for info in Client().datasets.list()
        ],
    )


@app.command()
def upload(
    name: Annotated[str, typer.Argument(help="What specs call it.")],
    path: Annotated[Path, typer.Argument(help="A folder of images (sub-folders are classes), or an .npz.")],
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Resize every image to so many pixels, such as 28x28.")
    ] = None,
) -> None:
    """Store images under a name. Jobs that are submitted already keep the old content."""
    pixels = _size(size)
    from scheduler.client import Client

    info = Client().datasets.upload(name, path, size=pixels)
    shape = "×".join(str(length) for length in info.shape)
    say(f"{info.name}: {info.count} images of {shape}, {len(info.class_names)} classes, {info.digest[:12]}")


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise typer.BadParameter(f"--size takes HxW in pixels, such as 28x28; received {text!r}")
    return int(height), int(width)
