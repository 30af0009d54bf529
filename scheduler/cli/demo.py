"""`triptych demo`: from nothing to a picture of digits that a network made up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli import paths
from scheduler.cli.follow import show_to_end
from scheduler.cli.output import note, say
from scheduler.cli.stack import show_flower

if TYPE_CHECKING:
    from scheduler.embedded import StackStatus
    from scheduler.job import Job


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running afterwards.")] = False,
    out: Annotated[
        Path, typer.Option(parser=paths.given, metavar="FOLDER", help="Save the pictures here.")
    ] = Path("triptych-demo"),
) -> None:
    """Start the stack, train a GAN on handwritten digits, and draw 64 new ones."""
    # Before anything is started: a folder that cannot be written would be found out minutes later.
    out.mkdir(parents=True, exist_ok=True)
    with _stack(keep) as stack:
        show_flower(stack)
        _train_and_draw(out)


@contextmanager
def _stack(keep: bool) -> "Iterator[StackStatus]":
    """The stack on this machine; ended afterwards, unless it was up before or is to be kept."""
    from scheduler.embedded import Stack

    stack = Stack()
    if stack.status().running:
        note("using the stack that is up already, and leaving it up")
        yield stack.status()
        return
    note("starting the stack")
    finished = False
    try:
        yield stack.up_detached()
        finished = True
    finally:
        # Kept only when all went well: nobody wants to look for a stack that an error left behind.
        if finished and keep:
            note("the stack stays up; `triptych down` ends it")
        elif stack.down():
            note("the stack has ended; `triptych up` starts it again, with these jobs in it")


def _train_and_draw(out: Path) -> None:
    from jobs.gan.spec import DEMO, GenerateImages
    from scheduler.client import Client

    client = Client()
    training = client.submit(DEMO)
    _finish(training)
    generation = client.submit(GenerateImages(model=training.id, count=64))
    _finish(generation)
    training.download(out / "training")
    generation.download(out / "generated")
    grid = out / "generated.png"
    grid.write_bytes(generation.artifact("grid.png"))
    say(f"64 new digits: {grid}")
    say(f"how they came about, with the losses: {out / 'training'}")


def _finish(job: "Job[Any]") -> None:
    show_to_end(job)
    if job.state != "SUCCEEDED":
        raise typer.Exit(1)
