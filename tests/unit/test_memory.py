"""Memory of this process and a child, and the limits of made-up containers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler.settings import WorkerSettings
from tests.servers import wait_until
from worker import memory

SIZE = 200 << 20


def test_a_process_counts_with_all_that_descend_from_it() -> None:
    alone = memory.private(os.getpid())
    holding = f"held = b'x' * {SIZE}; print('holds', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == b"holds\n"
        for measured in (memory.private, memory.resident):
            held = measured(child.pid)
            assert held is not None
            assert SIZE < held < SIZE + (100 << 20)
        wait_until(lambda: memory.private(os.getpid()) > alone + 0.9 * SIZE)  # a look serves for a moment
        child.communicate(b"\n")
    assert memory.resident(child.pid) is None
    assert memory.private(child.pid) == 0


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"memory.max": "1073741824\n"}, 1 << 30),
        ({"memory.max": "max\n"}, None),
        ({"memory/memory.limit_in_bytes": "2147483648\n"}, 1 << 31),
        ({}, None),
    ],
)
def test_a_container_s_limit_bounds_what_the_slots_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], limit: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    whole = memory.usable_memory()
    assert whole == limit if limit else whole > 1 << 30
    shared = memory.budget(WorkerSettings(), slots=3)
    assert 0.8 * whole < 3 * shared < whole
    assert memory.budget(WorkerSettings(slot_memory=1 << 25), slots=3) == 1 << 25


def test_kills_for_want_of_memory_are_counted(tmp_path: Path) -> None:
    assert memory.kills(tmp_path) == 0
    (tmp_path / "memory.events").write_text("low 0\nhigh 3\nmax 9\noom 2\noom_kill 2\noom_group_kill 0\n")
    assert memory.kills(tmp_path) == 2
