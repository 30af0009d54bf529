"""`triptych workers`: who is alive, and what each of them does."""

from collections import defaultdict
from dataclasses import asdict
from time import localtime, strftime
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.output import in_terminal, note, show_json, show_rows

if TYPE_CHECKING:
    from scheduler.record import JobRecord
    from scheduler.workers import LiveWorker


def workers(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the live workers with slots, device, memory, and the jobs they run."""
    from scheduler.client import Client
    from scheduler.states import JobState

    client = Client()
    living = client.workers.living()
    running: dict[str, list[JobRecord]] = defaultdict(list)
    for record in client.records.newest(JobState.RUNNING, limit=10_000):
        running[record.worker].append(record)
    if json:
        show_json([_data(worker, running[worker.name]) for worker in living])
        return
    columns = ("worker", "pool", "busy", "threads", "memory", "since", "device", "runs")
    show_rows(columns, [_row(worker, running[worker.name]) for worker in living])
    for pool in client.pools.paused():
        note(f"pool {pool} is paused: `triptych resume --pool {pool}` lets its workers take jobs again")
    if not living:
        note("no worker is alive: start one with `triptych up`, or `docker compose up -d`")


def drain(
    worker: Annotated[str, typer.Argument(help="Its name in `triptych workers`, such as cpu@host.")],
    undo: Annotated[bool, typer.Option("--undo", help="Let it take jobs again.")] = False,
) -> None:
    """Make a worker put its jobs back into the queue at their next step, and take no new ones."""
    from scheduler.client import Client

    Client().workers.drain(worker, undo=undo)
    if undo:
        note(f"{worker} takes jobs again")
    else:
        note(f"{worker} gives its jobs back; `triptych drain --undo {worker}` lets it take jobs again")


def _row(worker: "LiveWorker", jobs: "list[JobRecord]") -> tuple[str, ...]:
    about = worker.about
    return (
        worker.name,
        about.pool,
        f"{len(jobs)}/{about.slots}{' (draining)' if about.draining else ''}",
        str(about.threads),
        f"{about.memory / 2**30:.1f} GiB" if about.memory is not None else "",
        strftime("%Y-%m-%d %H:%M:%S", localtime(worker.since)),
        about.device,
        ("\n" if in_terminal() else "; ").join(_runs(job) for job in jobs),
    )


def _runs(job: "JobRecord") -> str:
    from scheduler.display import standing

    return f"{job.id} {job.kind} {standing(job)}".strip()


def _data(worker: "LiveWorker", jobs: "list[JobRecord]") -> dict[str, object]:
    from scheduler.display import standing

    runs = [{"job": job.id, "kind": job.kind, "progress": standing(job)} for job in jobs]
    return {
        "name": worker.name,
        "place": worker.place,
        "since": worker.since,
        **asdict(worker.about),
        "busy": len(jobs),
        "runs": runs,
    }
