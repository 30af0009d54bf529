"""A person opens Flower in a browser and reads how far a job is."""

import re
from pathlib import Path

from triptych_trial.spec import Steps

from scheduler import Client
from scheduler.embedded import Stack
from tests.browser import page
from tests.servers import wait_until


def flower(stack: Stack) -> str:
    password = (stack.home.secrets / "flower").read_text().strip()
    address = next(part.address for part in stack.status().parts if part.name == "flower")
    return address.replace("://", f"://triptych:{password}@")


def test_a_running_job_shows_its_progress_and_its_spec(stack: Stack, client: Client, tmp_path: Path) -> None:
    job = client.submit(Steps(steps=100_000, step_seconds=0.1))
    try:
        wait_until(lambda: job.progress is not None and job.progress.step > 20)
        text = page(f"{flower(stack)}/tasks", tmp_path)
        row = re.search(rf"<tr(?:(?!</tr>).)*{job.id}.*?</tr>", text, re.S)
        assert row is not None
        assert re.search(r"step \d+/100000 · loss 0\.0\d+ · ETA 1 s", row[0])
        assert "trial.steps" in row[0]
        assert "STARTED" in row[0]
        assert "100000" in row[0]
        assert "step_seconds" in row[0]
    finally:
        job.cancel()
    wait_until(lambda: job.state.final)
    wait_until(lambda: "REVOKED" in page(f"{flower(stack)}/task/{job.id}", tmp_path))


def test_the_row_of_a_job_that_is_done_leads_to_its_report(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    job = client.submit(Steps(steps=3, step_seconds=0.01))
    job.wait(60)

    def row() -> str:
        found = re.search(
            rf"<tr(?:(?!</tr>).)*{job.id}.*?</tr>", page(f"{flower(stack)}/tasks", tmp_path), re.S
        )
        return found[0] if found else ""

    wait_until(lambda: "SUCCESS" in row())
    assert f"done · step 3/3 · loss 0.333 · triptych report {job.id}" in row()
