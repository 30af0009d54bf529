"""The cache on a worker's disk stays within its bound, and keeps what jobs use."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scheduler.settings import WorkerSettings
from worker.cache_bound import CacheBound, bound
from worker.cache_use import InUse, working

DAY = 86400.0


def entry(cache: Path, name: str, size: int, days: float) -> Path:
    """A data set (a folder), or another file, that was last used so many days ago."""
    path = cache / name
    file = path / "images.npy" if name.startswith("datasets/") else path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(size))
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def names(cache: Path) -> set[str]:
    return {
        str(path.relative_to(cache))
        for path in (*cache.glob("datasets/*"), *cache.glob("files/**/*"))
        if path.parent.name == "datasets" or path.is_file()
    }


def test_what_was_unused_for_longest_goes_until_the_rest_is_within_the_bound(tmp_path: Path) -> None:
    for name, days in (("datasets/a", 3), ("datasets/b", 9), ("files/tokens/c", 6), ("files/d", 1)):
        entry(tmp_path, name, 100, days)
    cache = CacheBound(tmp_path, 250)
    cache.look()
    assert names(tmp_path) == {"datasets/a", "files/d"}
    assert cache.bytes == 200
    cache.look()
    assert names(tmp_path) == {"datasets/a", "files/d"}


def test_what_a_job_uses_stays_and_counts_as_used_now(tmp_path: Path) -> None:
    oldest = entry(tmp_path, "datasets/oldest", 100, 9)
    entry(tmp_path, "files/old", 100, 5)
    use, cache = InUse(), CacheBound(tmp_path, 0)
    assert use.hold(oldest) and use.hold(oldest) and not use.hold(tmp_path / "datasets" / "unknown")
    cache.look()
    assert names(tmp_path) == {"datasets/oldest"}
    assert cache.bytes == 100
    use.release()
    entry(tmp_path, "files/older", 100, 1)
    CacheBound(tmp_path, 100).look()
    assert names(tmp_path) == {"datasets/oldest"}, "it was used a moment ago"
    cache.look()
    assert names(tmp_path) == set()


def test_a_job_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    held = entry(tmp_path, "files/held", 100, 1)
    program = f"""
from pathlib import Path
from time import sleep
from worker.cache_use import InUse
use = InUse()
use.hold(Path({str(held)!r}))
print("holds", flush=True)
sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"holds\n"
        CacheBound(tmp_path, 0).look()
        assert names(tmp_path) == {"files/held"}
        process.send_signal(signal.SIGKILL)
    CacheBound(tmp_path, 0).look()
    assert names(tmp_path) == set()


def test_what_is_being_made_stays_and_what_a_killed_job_had_begun_goes(tmp_path: Path) -> None:
    with working(tmp_path / "files" / "tokens") as work:
        then = time.time() - 2 * DAY
        left = tmp_path / "datasets" / ".left"
        left.mkdir(parents=True)
        for path in (work, left):
            (path / "half").write_bytes(b"half")
            os.utime(path, (then, then))
        CacheBound(tmp_path, 0).look()
        assert (work / "half").exists() and not left.exists()
        use, path = InUse(), tmp_path / "files" / "tokens" / "whole"
        use.enter(work / "half", path)
    CacheBound(tmp_path, 0).look()
    assert path.read_bytes() == b"half", "it is in use from the beginning"
    use.release()
    CacheBound(tmp_path, 0).look()
    assert not path.exists()


def test_of_two_that_make_the_same_the_second_uses_what_the_first_has_made(tmp_path: Path) -> None:
    first, second, path = InUse(), InUse(), tmp_path / "datasets" / "set"
    for use, made in ((first, tmp_path / "one"), (second, tmp_path / "other")):
        made.mkdir()
        (made / "by").write_text(made.name)
        path.parent.mkdir(exist_ok=True)
        use.enter(made, path)
    assert (path / "by").read_text() == "one"
    first.release()
    CacheBound(tmp_path, 0).look()
    assert (path / "by").read_text() == "one", "the second still uses it"


def test_the_bound_is_a_quarter_of_the_disk_unless_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = os.statvfs(tmp_path)
    assert bound(WorkerSettings(cache=tmp_path / "not" / "yet")) == status.f_blocks * status.f_frsize // 4
    monkeypatch.setenv("TRIPTYCH_CACHE_SIZE", "50GiB")
    assert bound(WorkerSettings(cache=tmp_path)) == 50 << 30
