"""Memory of a process and its descendants, on a made-up /proc and on this process."""

import os
from pathlib import Path

import pytest

from worker import memory


def process(folder: Path, pid: int, parent: int, kibibytes: int | None) -> None:
    (folder / str(pid)).mkdir(parents=True)
    held = "" if kibibytes is None else f"VmRSS:\t  {kibibytes} kB\n"
    (folder / str(pid) / "status").write_text(f"Name:\tsome: name\nPPid:\t{parent}\n{held}")


def test_a_process_counts_with_all_that_descend_from_it_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    for pid, parent, kibibytes in ((7, 1, 100), (8, 7, 20), (9, 8, 3), (10, 1, 5000), (11, 7, None)):
        process(tmp_path, pid, parent, kibibytes)
    assert memory.resident(7, tmp_path) == 123 * 1024
    assert memory.resident(99, tmp_path) is None


def test_without_proc_ps_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ps = tmp_path / "ps"
    ps.write_text("#!/bin/sh\nprintf ' 7 1 100\\n 8 7 20\\n 10 1 5000\\n'\n")
    ps.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert memory.resident(7, tmp_path / "no-proc") == 120 * 1024


def test_this_process_holds_something() -> None:
    held = memory.resident(os.getpid())
    assert held is not None
    assert held > 1 << 20
