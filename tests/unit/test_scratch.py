"""What is left in the temporary folder when a worker is killed."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from worker.scratch import Scratch, sweep

HOLDS = "from worker.scratch import Scratch; made = Scratch(); print(made.path, flush=True); input()"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def grown_old(path: Path) -> Path:
    os.utime(path, 2 * (time.time() - 3600,))
    return path


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_holds_stays(temporary: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        assert process.stdout
        left = Path(process.stdout.readline().strip())
        (left / "model.safetensors").write_bytes(b"much")
        grown_old(left)
        ours = Scratch()
        grown_old(ours.path)
        sweep()
        assert left.is_dir()
        process.kill()
    grown_old(left)
    sweep()
    assert not left.exists()
    assert ours.path.is_dir()
    ours.close()
    assert not ours.path.exists()


def test_a_folder_that_was_made_just_now_is_nobodys_business(temporary: Path) -> None:
    new = temporary / "triptych-run-new"
    new.mkdir()
    (new / ".lock").touch()
    sweep()
    assert new.is_dir()
    grown_old(new)
    sweep()
    assert not new.exists()


def test_folders_of_others_stay(temporary: Path) -> None:
    for name in ("triptych-run-without-a-lock", "something-else"):
        (temporary / name).mkdir()
        grown_old(temporary / name)
    sweep()
    assert len(list(temporary.iterdir())) == 2
