"""A person at a shell, with a running stack."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from scheduler import Client
from scheduler.cli.commands import app
from scheduler.connection import PREFIX
from scheduler.embedded import Stack
from tests.browser import page
from tests.servers import wait_until

pytestmark = pytest.mark.usefixtures("stack")

ID = re.compile(r"^[0-9a-f]{16}$")
COMMAND = [sys.executable, "-c", "from scheduler.cli import main; main()"]


def triptych(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result


def submitted(*words: str) -> str:
    job_id = triptych("submit", *words).stdout.strip()
    assert ID.match(job_id)
    return job_id


def test_a_watched_job_succeeds_with_exit_code_0_and_every_line_in_the_pipe() -> None:
    first, *lines = triptych("submit", "trial.steps", "--steps", "3", "--watch").stdout.splitlines()
    assert ID.match(first)
    assert lines[-1] == "SUCCEEDED step 3/3 · loss 0.333"
    assert triptych("watch", first).stdout.splitlines() == lines[-1:]


def test_a_watched_job_that_fails_ends_with_exit_code_1_and_its_cause() -> None:
    result = triptych("submit", "trial.fail", "--how", "input", "--watch", code=1)
    job_id = result.stdout.splitlines()[0]
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: job {job_id} (trial.fail) FAILED, BAD_INPUT: ")
    assert f"jobs/{job_id}/logs/1.log" in line
    assert triptych("watch", job_id, code=1).stderr == result.stderr


def test_jobs_are_listed_newest_first_by_state_and_kind() -> None:
    older, newer = (submitted("trial.echo", "--text", text) for text in ("one", "two"))
    for job_id in (older, newer):
        triptych("watch", job_id)
    rows = [line.split("\t") for line in triptych("jobs", "--kind", "trial.echo").stdout.splitlines()]
    assert [row[0] for row in rows][:2] == [newer, older]
    assert {row[1] for row in rows} == {"trial.echo"}
    found = json.loads(triptych("jobs", "--state", "succeeded", "--limit", "1", "--json").stdout)
    assert [(job["id"], job["state"]) for job in found] == [(newer, "SUCCEEDED")]
    assert triptych("jobs", "--state", "failed", "--kind", "trial.echo").stdout == ""


def test_show_knows_spec_and_result_by_the_beginning_of_an_id() -> None:
    job_id = submitted("trial.echo", "--text", "12")
    triptych("watch", job_id)
    facts = dict(line.split("\t") for line in triptych("show", job_id[:12]).stdout.splitlines())
    assert facts["job"] == job_id
    assert facts["state"] == "SUCCEEDED"
    assert facts["spec.text"] == facts["result.text"] == "12"
    data = json.loads(triptych("show", job_id, "--json").stdout)
    assert data["result"]["text"] == "12"
    assert data["log"] == f"jobs/{job_id}/logs/1.log"


def test_logs_follow_a_job_to_its_end() -> None:
    job_id = submitted("trial.steps", "--steps", "5")
    followed = triptych("logs", job_id, "--follow").stdout
    assert "begins at step 0" in followed
    wait_until(lambda: "begins at step 0" in triptych("logs", job_id).stdout, what="the stored log")


def test_cancel_ends_a_running_job_and_leaves_a_finished_one_as_it_is() -> None:
    job_id = submitted("trial.steps", "--steps", "100000")
    wait_until(lambda: Client().get(job_id).progress is not None, what="a first step")
    assert "ends at its next step" in triptych("cancel", job_id).stdout
    result = triptych("watch", job_id, code=1)
    assert "CANCELLED" in result.stderr
    assert "had ended before: CANCELLED" in triptych("cancel", job_id).stderr


def test_ctrl_c_stops_the_looking_and_not_the_job() -> None:
    job_id = submitted("trial.steps", "--steps", "100000")
    process = subprocess.Popen(
        [*COMMAND, "watch", job_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout
        while "step" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.strip() == f"job {job_id} goes on; come back to it with `triptych watch {job_id}`"
    assert not Client().get(job_id).state.final
    triptych("cancel", job_id)
    triptych("watch", job_id, code=1)


def test_a_report_is_written_where_it_is_wanted_and_a_browser_shows_its_curves(tmp_path: Path) -> None:
    job_id = submitted("trial.steps", "--steps", "30")
    triptych("watch", job_id)
    path = tmp_path / "page.html"
    assert triptych("report", job_id, "--out", str(path)).stdout == f"{path}\n"
    shown = page(path.as_uri(), tmp_path)
    assert job_id in shown
    assert re.search(r"<svg.*<polyline", shown, re.S)
    assert Path(triptych("report", job_id).stdout.strip()).read_text() == path.read_text()


def test_artifacts_are_listed_and_copied(tmp_path: Path) -> None:
    job_id = submitted("trial.echo", "--text", "over here")
    triptych("watch", job_id)
    assert triptych("artifacts", job_id).stdout == "echo.txt\t9\n"
    copied = triptych("artifacts", job_id, "--download", str(tmp_path / "out")).stdout.splitlines()
    assert str(tmp_path / "out" / "artifacts" / "echo.txt") in copied
    assert (tmp_path / "out" / "artifacts" / "echo.txt").read_text() == "over here"
    assert job_id in (tmp_path / "out" / "artifacts" / "report.html").read_text()


def test_images_of_a_job_without_any_are_none(tmp_path: Path) -> None:
    job_id = submitted("trial.echo")
    triptych("watch", job_id)
    result = triptych("images", job_id, "--out", str(tmp_path / "out"))
    assert result.stdout == ""
    assert "no picture" in result.stderr


def test_a_key_stands_for_one_job_and_for_one_spec() -> None:
    first = submitted("trial.echo", "--text", "keyed", "--key", "nightly")
    assert submitted("trial.echo", "--text", "keyed", "--key", "nightly") == first
    result = triptych("submit", "trial.echo", "--text", "other", "--key", "nightly", code=1)
    assert f"this key was used for job {first}" in result.stderr
    assert submitted("trial.echo", "--text", "keyed") != first


def test_reuse_takes_the_job_that_is_done_and_submits_where_there_is_none() -> None:
    words = ("trial.echo", "--text", "only once", "--reuse")
    first = submitted(*words)
    assert submitted(*words) == first
    assert triptych("submit", *words, "--watch").stdout.splitlines()[-1].startswith("SUCCEEDED")
    assert submitted(*words) == first
    assert submitted("trial.echo", "--text", "only twice", "--reuse") != first


def test_a_job_waits_for_its_time() -> None:
    job_id = submitted("trial.echo", "--start-at", "+3600")
    assert Client().get(job_id).state == "WAITING"
    triptych("cancel", job_id)
    soon = submitted("trial.echo", "--start-at", "+1")
    triptych("watch", soon)


def test_recover_enters_what_redis_has_lost_and_nothing_else() -> None:
    job_id = submitted("trial.echo", "--text", "still here")
    triptych("watch", job_id)
    result = triptych("recover")
    assert result.stdout == ""
    assert "nothing was changed" in result.stderr
    Client().records.redis.delete(f"{PREFIX}job:{job_id}")
    triptych("show", job_id, code=1)
    assert triptych("recover").stdout == "SUCCEEDED\t1\n"
    assert json.loads(triptych("show", job_id, "--json").stdout)["result"]["text"] == "still here"


@pytest.mark.slow
def test_pictures_of_ones_own_become_pictures_of_a_gan(tmp_path: Path) -> None:
    folder = tmp_path / "squares"
    folder.mkdir()
    for number, pixels in enumerate(np.random.default_rng(1).integers(0, 255, (40, 8, 8), np.uint8)):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    assert "40 images of 8×8×1" in triptych("datasets", "upload", "squares", str(folder)).stdout
    assert "squares" in triptych("datasets", "list").stdout
    words = ("gan.train", "--dataset", "squares", "--epochs", "2", "--batch-size", "8")
    model = submitted(*words)
    triptych("watch", model)
    paths = [
        Path(line) for line in triptych("images", model, "--out", str(tmp_path / "out")).stdout.splitlines()
    ]
    assert {path.parent.name for path in paths} == {"samples", "artifacts"}
    for path in paths:
        Image.open(path).verify()
    # The beginning of an id stands for the whole, in a spec as well.
    drawn = submitted("gan.generate", "--model", model[:12], "--count", "4")
    triptych("watch", drawn)
    assert Client().get(drawn).record.spec["model"] == model


@pytest.mark.slow
def test_run_needs_no_queue_and_goes_on_in_the_same_folder(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=np.random.default_rng(1).integers(0, 255, (40, 8, 8), np.uint8))
    nowhere = {name: value for name, value in os.environ.items() if not name.startswith("TRIPTYCH_")}
    command = [*COMMAND, "run", "gan.train", "--dataset", "own", "--epochs", "1", "--batch-size", "8"]
    command += ["--data", f"own={tmp_path / 'own.npz'}", "--out", str(tmp_path / "run")]
    command += ["--channels", "8", "--judge-every", "0"]  # neither is what this is about
    env = {**nowhere, "TRIPTYCH_HOME": str(tmp_path / "home")}
    first = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert (tmp_path / "run" / "result.json").exists()
    assert not (tmp_path / "home").exists()
    second = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    digests = [re.findall(r"^state_sha256\t(\w+)$", each.stdout, re.MULTILINE) for each in (first, second)]
    assert digests[0] == digests[1] != []
    other = subprocess.run([*command, "--seed", "7"], capture_output=True, text=True, check=False, env=env)
    assert other.returncode == 1
    assert "holds a job of another spec" in other.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "0000000000000000"], "there is no job '0000000000000000'"),
        (["watch", "no-such"], "there is no job 'no-such'"),
        (["logs", "no-such"], "there is no job"),
        (["cancel", "no-such"], "there is no job"),
        (["artifacts", "no-such"], "there is no job"),
        (["images", "no-such"], "there is no job"),
        (["submit", "trial.echo", "--colour", "red"], "unknown field 'colour'"),
        (["submit", "trial.steps", "--steps", "0"], "'steps'"),
        (["submit", "trial.look", "--dataset", "no-such"], "there is no data set 'no-such'"),
        (["submit", "gan.generate", "--model", "0000000000000000"], "field 'model': there is no job"),
        (["submit", "trial.echo", "--after", "no-such"], "there is no job"),
        (["jobs", "--state", "asleep"], "unknown state 'ASLEEP'"),
        (["jobs", "--kind", "trial.eco"], "did you mean 'trial.echo'"),
        (["datasets", "upload", "mnist-5k", "."], "comes with Triptych"),
        (["datasets", "upload", "void", "/no/such/folder"], "/no/such/folder"),
    ],
)
def test_what_cannot_be_done_ends_as_one_line_and_exit_code_1(words: list[str], said: str) -> None:
    result = triptych(*words, code=1)
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_a_model_of_another_kind_is_refused_at_once() -> None:
    job_id = submitted("trial.echo")
    result = triptych("submit", "gan.generate", "--model", job_id, code=1)
    assert f"takes a job of kind gan.train; job {job_id} is a trial.echo" in result.stderr


def test_status_shows_the_stack_and_no_password(stack: Stack) -> None:
    result = triptych("status")
    parts = {line.split("\t")[0] for line in result.stdout.splitlines()}
    assert {"redis", "s3", "scheduler", "worker", "flower", "SUCCEEDED"} <= parts
    assert str(stack.status().flower_password_file) in result.stderr
    data = triptych("status", "--json").stdout
    assert json.loads(data)["stack"]["ready"] is True
    for secret in stack.home.secrets.iterdir():
        for word in secret.read_text().split():
            assert word not in result.output
            assert word not in data


def test_up_beside_a_running_stack_says_that_it_runs() -> None:
    result = triptych("up", "--detach", code=1)
    assert "already" in result.stderr
