"""Who may take back at once what a worker held when it was killed."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from worker.seat import Seat

URL = "redis://:password@127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_whoever_follows_in_a_seat_has_the_same_mark() -> None:
    with Seat("cpu@a", URL, 0) as first:
        assert first.mark
    with Seat("cpu@a", URL.replace("password", "another"), 0) as second:
        assert second.mark == first.mark


def test_other_names_and_other_servers_are_other_seats() -> None:
    with (
        Seat("cpu@a", URL, 0) as one,
        Seat("cpu@b", URL, 0) as other_name,
        Seat("cpu@a", URL.replace(":1/", ":2/"), 0) as other_server,
    ):
        assert len({one.mark, other_name.mark, other_server.mark} - {""}) == 3


def test_a_seat_in_which_somebody_lives_is_not_to_be_had() -> None:
    with Seat("cpu@a", URL, 0) as first, Seat("cpu@a", URL, 0.05) as second:
        assert first.mark
        assert second.mark == ""


def test_a_runner_that_outlives_its_worker_keeps_the_seat_until_it_ends() -> None:
    with Seat("cpu@a", URL, 0) as first:
        runner = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=first.descriptors
        )
    try:
        with Seat("cpu@a", URL, 0.05) as early:
            assert early.mark == ""
        runner.kill()
        with Seat("cpu@a", URL, 30) as late:
            assert late.mark == first.mark
    finally:
        runner.kill()
        runner.communicate()


def test_a_folder_that_others_can_write_to_is_not_relied_on(tmp_path: Path) -> None:
    folder = tmp_path / f"triptych-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    assert Seat("cpu@a", URL, 60).mark == ""
