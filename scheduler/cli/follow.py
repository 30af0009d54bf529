"""`triptych watch`, `logs` and `cancel`: what a person does with a job that is under way."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.exits import FAILED, INTERRUPTED
from scheduler.cli.output import failed, in_terminal, note, say

if TYPE_CHECKING:
    from scheduler.job import Job

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Its id, or a unique prefix of it.")]


def watch(job_id: JobId) -> None:
    """Show a live progress bar until the job has ended. Ctrl-C leaves the job running."""
    from scheduler.client import Client

    follow(Client().get(job_id))


def follow(job: "Job[Any]") -> None:
    """Shows a job to its end.

    Raises:
        Exit: with 1 if it did not succeed, with 130 if the person stopped looking.
    """
    try:
        show_to_end(job)
    except KeyboardInterrupt:
        raise _left(job, "watch") from None
    if job.state != "SUCCEEDED":
        raise typer.Exit(FAILED)


def show_to_end(job: "Job[Any]") -> None:
    """Shows a live bar in a terminal, else a line whenever something changed; then how the job ended."""
    from scheduler.display import show_bar, standing

    if in_terminal():
        show_bar(job.updates())
        return
    shown = ""
    for record in job.updates():
        line = f"{record.state} {standing(record)}".strip()
        if line != shown:
            say(line)
            shown = line
    if job.state != "SUCCEEDED":
        failed(job.ending())


def logs(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue until the job has ended.")] = False,
) -> None:
    """Print the output of all attempts of a job."""
    from scheduler.client import Client

    job = Client().get(job_id)
    try:
        for text in job.logs(follow=follow):
            typer.echo(text, nl=False)
    except KeyboardInterrupt:
        raise _left(job, "logs --follow") from None


def cancel(job_id: JobId) -> None:
    """Stop a job: at once if it has not begun, else at its next step."""
    from scheduler.client import Client

    job = Client().get(job_id)
    before = job.state
    after = job.cancel()
    if before.final:
        note(f"job {job.id} had ended before: {before}")
    elif after.final:
        say(f"job {job.id} {after}")
    else:
        say(f"job {job.id} ends at its next step")


def _left(job: "Job[Any]", command: str) -> typer.Exit:
    if in_terminal():
        say("")  # the terminal has just written ^C
    note(f"job {job.id} goes on; come back to it with `triptych {command} {job.id}`")
    return typer.Exit(INTERRUPTED)
