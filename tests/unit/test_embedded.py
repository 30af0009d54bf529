"""The pieces of the embedded stack that need no server."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler.embedded import home, lock, ports
from scheduler.embedded.home import cut_log, last_line, write_private
from scheduler.embedded.ports import Door, choose
from scheduler.embedded.secrets import load_or_generate
from scheduler.embedded.status import PartState, PartStatus, read_parts, write_parts
from scheduler.errors import StackError
from tests.ports import free_port


def test_a_port_is_remembered(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = choose(file, [Door("flower", free_port())])
    assert choose(file, [Door("flower", free_port())]) == first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_left_to_whoever_has_it(tmp_path: Path, address: str) -> None:
    with socket.socket() as other:
        other.bind((address, 0))
        other.listen()
        taken = other.getsockname()[1]
        assert (
            taken < choose(tmp_path / "ports.json", [Door("flower", taken)])["flower"] < taken + ports.REACH
        )


def test_two_doors_never_share_a_port(tmp_path: Path) -> None:
    port = free_port()
    chosen = choose(tmp_path / "ports.json", [Door(name, port) for name in "abc"])
    assert len(set(chosen.values())) == 3


def test_a_second_port_at_a_distance_must_be_free_as_well(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert (
            choose(tmp_path / "ports.json", [Door("admin", taken - 1000, also=(1000,))])["admin"]
            != taken - 1000
        )


def test_no_free_port_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _port: False)
    with pytest.raises(StackError, match="no port is free for flower from 5555 to 6054"):
        choose(tmp_path / "ports.json", [Door("flower", 5555)])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"flower": "x"}'])
def test_an_unreadable_list_of_ports_is_made_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)
    assert choose(tmp_path / "ports.json", [Door("flower", free_port())]).keys() == {"flower"}


def test_secrets_are_made_once_and_closed(tmp_path: Path) -> None:
    made = load_or_generate(tmp_path)
    assert load_or_generate(tmp_path) == made
    assert repr(made.redis) not in repr(made)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    (tmp_path / "redis").write_text("")
    assert load_or_generate(tmp_path).redis not in ("", made.redis)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_private(tmp_path / "file", "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_private(tmp_path / "file", "new")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_a_long_log_moves_aside_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "LONGEST_LOG_BYTES", 10)
    log = tmp_path / "part.log"
    with log.open("ab", buffering=0) as file:
        file.write(b"a long line\n")
        cut_log(log)
        file.write(b"short\n")
        cut_log(log)
    assert log.read_text() == "short\n"
    assert (tmp_path / "part.log.1").read_text() == "a long line\n"


def test_the_last_line_that_says_something(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("first\n  the reason  \n\n \n")
    assert last_line(tmp_path / "log") == "the reason"
    assert last_line(tmp_path / "none") == ""


def test_a_lock_is_held_once_and_by_the_living_only(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert lock.holder(path) is None
    with lock.held(path):
        assert lock.holder(path) == os.getpid()
        with pytest.raises(StackError, match=f"already running .process {os.getpid()}."), lock.held(path):
            pass
    assert lock.holder(path) is None
    with lock.held(path):
        pass


def test_what_is_known_of_parts_survives_the_way_through_a_file(tmp_path: Path) -> None:
    parts = (PartStatus("redis", PartState.READY, 1, "127.0.0.1:1", 2),)
    write_parts(tmp_path / "state", parts)
    assert read_parts(tmp_path / "state") == parts
    (tmp_path / "state").write_text('[{"name": 1}]')
    assert read_parts(tmp_path / "state") == ()
    assert read_parts(tmp_path / "none") == ()


def test_a_client_does_not_import_the_stack() -> None:
    script = (
        "import scheduler, sys; sys.exit(any(name.startswith('scheduler.embedded') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
