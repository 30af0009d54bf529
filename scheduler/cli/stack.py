"""`triptych up`, `down` and `status`: the stack on this machine."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from scheduler.cli.exits import code_of
from scheduler.cli.output import failed, in_terminal, note, say, show_json, show_rows

if TYPE_CHECKING:
    from scheduler.embedded.status import StackStatus

_STYLES = {"ready": "green", "starting": "yellow", "restarting": "red", "stopped": "dim"}


def up(
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once the stack is ready, and leave it running.")
    ] = False,
) -> None:
    """Start Redis, an S3 server, the scheduler, a worker and Flower on this machine. Ctrl-C stops them."""
    from scheduler.embedded import Stack

    if detach:
        show_stack(Stack().up_detached())
        return
    note("starting the stack; Ctrl-C ends it")
    Stack().up(on_ready=show_stack)


def down() -> None:
    """Stop the stack on this machine. Running jobs save a checkpoint, and resume after the next `up`."""
    from scheduler.embedded import Stack

    say("the stack has ended" if Stack().down() else "the stack was not up")


def status(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the parts of the stack with their addresses, and how many jobs are in each state."""
    from scheduler.capacity import memory
    from scheduler.client import Client
    from scheduler.embedded import Stack
    from scheduler.errors import NotConfigured, Unreachable

    stack = Stack().status()
    try:
        client = Client()
        records = client.records
        paused = client.pools.paused()
        counts = {str(state): count for state, count in records.counts().items()}
        used = memory(records.redis)
    except (NotConfigured, Unreachable) as error:
        if json:
            show_json({"stack": _as_data(stack), "jobs": None, "error": str(error)})
            raise typer.Exit(code_of(error)) from None
        show_stack(stack)
        raise
    if json:
        redis = {**asdict(used), "nearly_full": used.nearly_full}
        show_json({"stack": _as_data(stack), "jobs": counts, "redis": redis, "paused_pools": paused})
        return
    show_stack(stack)
    if in_terminal():
        say("")
    show_rows(("jobs", ""), [(state, str(count)) for state, count in counts.items()])
    for pool in paused:
        note(f"pool {pool} is paused: `triptych resume --pool {pool}` lets its workers take jobs again")
    if used.nearly_full:
        failed(used.sentence)


def show_stack(stack: "StackStatus") -> None:
    """The parts of the stack on this machine, if it is up, and where to look."""
    if not stack.running:
        return
    show_rows(
        ("part", "state", "address"),
        [(part.name, Text(part.state, style=_STYLES[part.state]), part.address) for part in stack.parts],
    )
    if stack.flower_url:
        show_flower(stack)
    note(f"logs are in {stack.logs}")


def show_flower(stack: "StackStatus") -> None:
    """Where Flower is, who may enter, and where the password is; never the password."""
    note(f"Flower: {stack.flower_url}, user {stack.flower_user}, password in {stack.flower_password_file}")


def _as_data(stack: "StackStatus") -> dict[str, Any]:
    return {
        **asdict(stack),
        "home": str(stack.home),
        "flower_password_file": str(stack.flower_password_file),
        "logs": str(stack.logs),
        "running": stack.running,
        "ready": stack.ready,
    }
