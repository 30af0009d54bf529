"""`triptych pause`, `resume`, `priority` and `rerun`."""

from typing import Annotated

import typer

from scheduler.cli.exits import FAILED
from scheduler.cli.follow import JobId
from scheduler.cli.output import failed, in_terminal, note, say

_Pool = Annotated[
    str | None, typer.Option(metavar="cpu|gpu", help="All workers of this pool, in place of a job.")
]
_Job = Annotated[str | None, typer.Argument(metavar="JOB", help="Its id, or a unique prefix of it.")]


def pause(job_id: _Job = None, pool: _Pool = None) -> None:
    """Hold a job back until it is resumed: a running one saves at its next step and leaves its slot.

    With --pool, all workers of a pool give their jobs back to the queue, and take none until it is resumed.
    """
    _check(job_id, pool)
    from scheduler.client import Client

    client = Client()
    if pool is not None:
        client.pools.pause(pool)
        note(f"pool {pool} is paused; `triptych resume --pool {pool}` lets its workers take jobs again")
        return
    job = client.get(str(job_id))
    state = job.pause()
    if state.final:
        note(f"job {job.id} had ended before: {state}")
    elif state == "RUNNING":
        say(f"job {job.id} pauses at its next step")
    else:
        say(f"job {job.id} {state}")


def resume(job_id: _Job = None, pool: _Pool = None) -> None:
    """Let a paused job, or the workers of a paused pool, go on."""
    _check(job_id, pool)
    from scheduler.client import Client

    client = Client()
    if pool is not None:
        client.pools.resume(pool)
        note(f"the workers of pool {pool} take jobs again")
        return
    job = client.get(str(job_id))
    if not job.record.pause_requested:
        note(f"job {job.id} was not paused: {job.state}")
        return
    say(f"job {job.id} {job.resume()}")


def priority(
    job_id: JobId, number: Annotated[int, typer.Argument(metavar="N", help="0 (most urgent) to 9.")]
) -> None:
    """Change the place of a job, and of its parts, among those that wait for a slot."""
    from scheduler.client import Client

    job = Client().get(job_id)
    state = job.set_priority(number)
    say(f"job {job.id} has priority {number} ({state})")


def rerun(
    job_id: JobId,
    detach: Annotated[
        bool, typer.Option("--detach", help="Do not wait for its end, and compare nothing.")
    ] = False,
) -> None:
    """Submit the spec of a job again, with the data that it had, and say whether it came to the same bits.

    In a pipe, print the id of the new job alone; exit code 1 if the bits differ.
    """
    from scheduler.cli.follow import follow
    from scheduler.client import Client
    from scheduler.rerunning import compare_bits
    from scheduler.states import JobState

    client = Client()
    first = client.get(job_id)
    second = client.rerun(first)
    if detach or not in_terminal():
        say(second.id)
    if detach:
        return
    if in_terminal():
        follow(second)
    else:
        second.wait()
    if first.state is not JobState.SUCCEEDED:
        note(f"job {first.id} is {first.state}, so there is nothing to compare with")
        return
    bits = compare_bits(first, second)
    if not bits.same:
        failed(f"job {second.id} differs from job {first.id} in {', '.join(bits.differing)}")
        raise typer.Exit(FAILED)
    note(f"job {second.id} came to the same bits as job {first.id}: {len(bits.compared)} compared")


def _check(job_id: str | None, pool: str | None) -> None:
    if (job_id is None) == (pool is None):
        raise typer.BadParameter("give either a JOB or --pool cpu|gpu")
