"""`triptych tensorboard`: TensorBoard over the jobs of a stack."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli import paths
from scheduler.cli.completion import offered_kinds
from scheduler.cli.output import note, say
from scheduler.errors import NotInstalled, Unreachable

if TYPE_CHECKING:
    from scheduler.client import Client
    from scheduler.job import Job
    from scheduler.tensorboard.events import JobEvents

#: Seconds between two looks at jobs that run.
_PAUSE = 3.0


def tensorboard(
    jobs: Annotated[
        list[str] | None, typer.Argument(metavar="[JOB ...]", help="Jobs; by default the newest ones.")
    ] = None,
    sweep: Annotated[
        str | None, typer.Option(metavar="SWEEP", help="The trials of this sweep, those to come included.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only jobs of this kind.", autocompletion=offered_kinds)
    ] = None,
    limit: Annotated[int, typer.Option(help="How many of the newest jobs, if none is named.", min=1)] = 20,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 6006,
    logdir: Annotated[
        Path | None,
        typer.Option(parser=paths.given, metavar="FOLDER", help="Write the event files here, and keep them."),
    ] = None,
    write_only: Annotated[
        bool, typer.Option("--write-only", help="Write the event files as they are now, and start nothing.")
    ] = False,
) -> None:
    """Open jobs in TensorBoard: metrics, pictures, specs, hyperparameters, embeddings. Follows running jobs.

    Needs the extra `tensorboard`; TensorFlow need not be installed. Ctrl-C ends it.
    """
    try:
        from scheduler.tensorboard.events import JobEvents as Events
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"this needs the package {error.name}, which comes with the extra `tensorboard`: "
            "pip install '.[tensorboard]'"
        ) from None
    from scheduler.client import Client

    client = Client()
    with ExitStack() as stack:
        folder = logdir or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="triptych-tensorboard-"))
        )
        folder.mkdir(parents=True, exist_ok=True)
        written: dict[str, JobEvents] = {}
        ids = [client.get(job).id for job in jobs or ()]  # a wrong one is refused before anything starts

        def update() -> None:
            for job in _chosen(client, ids, sweep) or client.list(kind=kind, limit=limit):
                if job.id not in written:
                    written[job.id] = Events(job, client.store, folder)
                    stack.callback(written[job.id].close)
            for events in written.values():
                events.update()

        update()
        if write_only:
            say(str(folder))
            return
        if not written:
            note("there is no job yet; jobs appear as they are submitted")
        _serve(folder, port, update)


def _chosen(client: "Client", ids: list[str], sweep: str | None) -> "list[Job[Any]]":
    """The jobs that are named, and the last job of each trial of a sweep."""
    if sweep is not None:
        trials = client.sweeps.get(sweep).trials()
        known = [trial.outcomes[-1].job for trial in trials if trial.outcomes]
        ids = [*ids, *(job for job in known if client.records.knows(job))]
    return [client.get(each) for each in ids]


def _serve(folder: Path, port: int, update: Callable[[], None]) -> None:
    words = ["--logdir", str(folder), "--host", "127.0.0.1", "--port", str(port), "--reload_interval", "3"]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # or the server would outlive this process
    server = subprocess.Popen([sys.executable, "-m", "tensorboard.main", *words])
    try:
        while server.poll() is None:
            time.sleep(_PAUSE)
            with suppress(Unreachable):  # a server that is away is asked again
                update()
    except KeyboardInterrupt:
        note("TensorBoard has ended")
    finally:
        server.terminate()
        server.wait()
    if server.returncode > 0:
        raise typer.Exit(1)
