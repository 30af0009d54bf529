"""`triptych datasets`: the data sets that specs can name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.output import say, show_rows

if TYPE_CHECKING:
    from scheduler.datasets import DataSetInfo

app = typer.Typer(help="Data sets that specs can name.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List the data sets: those that come with Triptych, then your own."""
    from scheduler.client import Client

    show_rows(
        ("data set", "holds", "of", "classes", "about"),
        [
            (
                info.name,
                _holds(info),
                "×".join(map(str, info.shape)) or ", ".join(info.columns),
                str(len(info.class_names)) if info.class_names or info.content == "images" else "",
                info.title or f"your own, {info.digest[:12]}",
            )
            for info in Client().datasets.list()
        ],
    )


@app.command()
def upload(
    name: Annotated[str, typer.Argument(help="What specs call it.")],
    path: Annotated[
        Path,
        typer.Argument(
            help="A folder of images (sub-folders are classes) or an .npz; a file of texts (.csv, .tsv, "
            ".jsonl, .parquet); or a folder with a checkpoint."
        ),
    ],
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Resize every image to so many pixels, such as 28x28.")
    ] = None,
) -> None:
    """Store images, texts or a checkpoint under a name. Jobs submitted already keep the old content."""
    pixels = _size(size)
    from scheduler.client import Client

    info = Client().datasets.upload(name, path, size=pixels)
    about = {
        "images": f"of {'×'.join(map(str, info.shape))}, {len(info.class_names)} classes",
        "texts": f"with the columns {', '.join(info.columns)}",
        "pretrained": "of a checkpoint",
    }
    say(f"{info.name}: {_holds(info)} {about[info.content]}, {info.digest[:12]}")


def _holds(info: "DataSetInfo") -> str:
    unit = {"images": "images", "texts": "rows", "pretrained": "files"}[info.content]
    return f"{info.count} {unit}"


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise typer.BadParameter(f"--size takes HxW in pixels, such as 28x28; received {text!r}")
    return int(height), int(width)
