"""`triptych datasets`: the data sets that specs can name."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli import paths
from scheduler.cli.output import say, show_rows

if TYPE_CHECKING:
    from scheduler.datasets import DataSetInfo


class Pages(StrEnum):
    """Which pictures of a file with several are images."""

    FIRST = "first"
    ALL = "all"


class Content(StrEnum):
    """What a file holds."""

    TEXTS = "texts"
    TABLE = "table"
    QUESTIONS = "questions"
    CORPUS = "corpus"
    PAIRS = "pairs"
    SIDE_BY_SIDE = "side-by-side"


class WrongAnswers(StrEnum):
    """What becomes of questions that are wrong."""

    REFUSE = "refuse"
    SKIP = "skip"


class Documents(StrEnum):
    """What tells the documents of a corpus apart."""

    FILE = "file"
    BLANK_LINE = "blank-line"
    LINE = "line"
    ROW = "row"


class Quoting(StrEnum):
    """What quotation marks are in a file of texts."""

    DOUBLE = "double"
    NONE = "none"


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
                _of(info),
                str(len(info.class_names)) if info.class_names or info.content == "images" else "",
                info.title or f"your own, {info.digest[:12]}",
            )
            for info in Client().datasets.list()
        ],
    )


@app.command()
def upload(
    name: Annotated[str, typer.Argument(help="The name for it in specs.")],
    path: Annotated[
        Path,
        typer.Argument(
            parser=paths.given,
            help="A folder of images (sub-folders are classes) or an .npz; a file of texts (.csv, .tsv, "
            ".jsonl, .parquet), of a table with time, or of questions on documents (these, or SQuAD's "
            ".json); a folder with a checkpoint; or, with --as corpus, running text: a file, a folder of "
            "files, or a file of rows; with --as pairs a folder with the folders source and target.",
        ),
    ],
    size: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Resize every image to this size in pixels, such as 28x28."),
    ] = None,
    range_: Annotated[
        str | None,
        typer.Option("--range", metavar="LOW:HIGH", help="The pixel values that become black and white."),
    ] = None,
    pages: Annotated[Pages | None, typer.Option(help="Which pictures of a multi-page file to use.")] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(metavar="CHARACTER", help="The delimiter in a file of texts, such as ';' or tab."),
    ] = None,
    quoting: Annotated[
        Quoting | None, typer.Option(help="Whether quotation marks enclose fields, or are part of texts.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="The encoding of a file of texts, such as cp1252.")
    ] = None,
    as_: Annotated[
        Content | None,
        typer.Option(
            "--as",
            help="What it holds: texts or table where a file may be either; corpus; pairs, or side-by-side.",
        ),
    ] = None,
    time: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column of times, which makes it a table.")
    ] = None,
    series: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column that tells a table's series apart.")
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Where a table's clock is, such as Europe/Berlin."),
    ] = None,
    regularise: Annotated[
        str | None,
        typer.Option(metavar="STEP", help="Make a table's rows so far apart: 15min, 1h, 1d, 1month."),
    ] = None,
    time_format: Annotated[
        str | None,
        typer.Option(metavar="FORM", help="How times are written, such as '%d.%m.%Y %H:%M'."),
    ] = None,
    documents: Annotated[
        Documents | None,
        typer.Option(help="What tells the documents of a corpus apart; by default the file, or the row."),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The column with the text of a corpus, by default text."),
    ] = None,
    wrong_answers: Annotated[
        WrongAnswers | None,
        typer.Option(help="Refuse a file with a wrong answer, or skip and count such questions."),
    ] = None,
) -> None:
    """Store images, texts, a table, questions, a corpus, pairs or a checkpoint under a name.

    Jobs submitted keep the old content.
    """
    pixels, values = _size(size), _range(range_)
    from scheduler.client import Client

    info = Client().datasets.upload(
        name,
        path,
        size=pixels,
        range=values,
        pages=pages.value if pages else None,
        delimiter=delimiter,
        quoting=quoting.value if quoting else None,
        encoding=encoding,
        content=as_.value if as_ else None,
        time=time,
        series=series,
        timezone=timezone,
        regularise=regularise,
        time_format=time_format,
        wrong_answers=wrong_answers.value if wrong_answers else None,
        documents=documents.value if documents else None,
        column=column,
    )
    about = {
        "images": f"of {'×'.join(map(str, info.shape))}, {len(info.class_names)} classes",
        "texts": f"with the columns {', '.join(info.columns)}",
        "table": f"with {_of(info)}",
        "questions": f"on {info.documents:,} documents",
        "corpus": "of running text",
        "pairs": f"of images of {'×'.join(map(str, info.shape[:2]))}",
        "pretrained": "of a checkpoint",
    }
    say(f"{info.name}: {_holds(info)} {about[info.content]}, {info.digest[:12]}")
    for text in info.notes:
        say(f"  {text}")


@app.command()
def delete(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="The names of data sets of your own.")
    ],
) -> None:
    """Delete data sets of your own, with every version; refused while a job that has not ended needs one."""
    from scheduler.cli.clean import size
    from scheduler.client import Client

    client = Client()
    for name in names:
        freed = client.datasets.delete(name)
        say(f"{name} is deleted: {freed.objects} objects, {size(freed.bytes)}")


def _holds(info: "DataSetInfo") -> str:
    units = {"images": "images", "corpus": "documents", "questions": "questions", "pretrained": "files"} | {
        "pairs": "pairs"
    }
    unit = units.get(info.content, "rows")
    return f"{info.count} {unit}" + (f" of {info.series} series" if info.series > 1 else "")


def _of(info: "DataSetInfo") -> str:
    if info.content == "questions":
        return f"on {info.documents:,} documents"
    if info.content == "table":
        columns = ", ".join(info.columns) if len(info.columns) < 5 else f"{len(info.columns)} columns"
        return f"{columns}, {info.step} apart, {info.span[0]} to {info.span[-1]}"
    return "×".join(map(str, info.shape)) or ", ".join(info.columns)


def _range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise typer.BadParameter(
            f"--range takes LOW:HIGH, such as 0:4095 or -1:1; received {text!r}"
        ) from None


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise typer.BadParameter(f"--size takes HxW in pixels, such as 28x28; received {text!r}")
    return int(height), int(width)
