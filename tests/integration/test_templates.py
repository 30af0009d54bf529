"""Runners that are copies of a process: they end with it, and without it there are others."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from triptych_trial.spec import Echo

from tests.processes import is_alive
from tests.servers import wait_until
from worker.runner_pool import RunnerPool
from worker.runners import Runner
from worker.starts import CannotFork, Spawn, Template, can_fork

ON_PROCESSORS = {"CUDA_VISIBLE_DEVICES": "-1"}
pytestmark = pytest.mark.skipif(not can_fork(ON_PROCESSORS), reason="this system cannot copy runners safely")


@pytest.fixture
def template() -> Iterator[Template]:
    made = Template((), ON_PROCESSORS)
    yield made
    made.close()


@pytest.fixture
def pool() -> Iterator[RunnerPool]:
    made = RunnerPool(ON_PROCESSORS, (), slots=2, warm=0, idle_seconds=60)
    yield made
    made.close()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_copies_are_processes_of_their_own_whose_end_is_told(template: Template) -> None:
    runners = [Runner((), template) for _ in range(3)]
    assert len({runner.process.pid for runner in runners}) == 3
    assert len({parent_of(runner.process.pid) for runner in runners}) == 1
    os.kill(runners[0].process.pid, signal.SIGTERM)
    assert runners[0].process.wait(10) == -signal.SIGTERM
    assert [runner.alive for runner in runners] == [False, True, True]
    runners[1].kill()
    assert runners[1].process.returncode == -signal.SIGKILL
    os.close(runners[2]._telling)  # as its worker's end does
    assert runners[2].process.wait(10) == -signal.SIGKILL
    runners[2]._telling = os.open(os.devnull, os.O_RDONLY)
    for runner in runners:
        runner.close()
        assert not is_alive(runner.process.pid)


def test_copies_end_with_what_they_are_copies_of(template: Template) -> None:
    runner = Runner((), template)
    os.kill(parent_of(runner.process.pid), signal.SIGKILL)
    assert runner.process.wait(10) == -signal.SIGKILL
    runner.close()
    with pytest.raises(CannotFork) as caught:
        Runner((), template)
    assert not caught.value.ever


def test_random_numbers_of_two_copies_differ_as_those_of_two_processes_do(
    template: Template, tmp_path: Path
) -> None:
    script = tmp_path / "draws.py"
    script.write_text(
        "import os, random, numpy\nfrom worker import runner\n"
        "runner.serve = lambda _: (print(random.random(), numpy.random.random(), flush=True), os._exit(0))\n"
    )
    environment = ON_PROCESSORS | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])}
    drawing = Template(("draws",), environment)
    said = []
    for _ in range(2):
        runner = Runner((), drawing)
        runner.process.wait(10)
        said += runner.log.read_text().split()
        runner.close()
    drawing.close()
    assert len(set(said)) == 4


def test_what_a_runner_leaves_does_not_stay_below_the_template(tmp_path: Path) -> None:
    (tmp_path / "leaves.py").write_text(
        "import os, subprocess\nfrom worker import runner\n"
        "def serve(_):\n    runner._adopt_orphans()\n"
        "    print(subprocess.Popen(['sleep', '60']).pid, flush=True)\n    os._exit(0)\n"
        "runner.serve = serve\n"
    )
    environment = ON_PROCESSORS | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])}
    leaving = Template(("leaves",), environment)
    runner = Runner((), leaving)
    runner.process.wait(10)
    left = int(runner.log.read_text())
    assert parent_of(left) != leaving._process.pid
    runner.close()
    wait_until(lambda: not is_alive(left))
    leaving.close()


def test_a_template_that_is_killed_is_followed_by_another(pool: RunnerPool) -> None:
    runner = pool.take(Echo)
    template = parent_of(runner.process.pid)
    os.kill(template, signal.SIGKILL)
    assert runner.process.wait(10) == -signal.SIGKILL
    pool.give_back(runner, again=False)
    wait_until(lambda: not is_alive(template))
    runner = pool.take(Echo)
    assert runner.alive
    assert parent_of(runner.process.pid) not in (template, os.getpid())
    pool.give_back(runner, again=False)


def test_where_an_import_has_begun_to_compute_runners_are_begun_anew(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    (tmp_path / "busy.py").write_text("import tensorflow as tf\ntf.constant(1) + 1\n")
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    pool = RunnerPool(ON_PROCESSORS | {"PYTHONPATH": path}, ("busy",), slots=1, warm=1, idle_seconds=60)
    try:
        runner = pool._new(("busy",))
        assert parent_of(runner.process.pid) == os.getpid()
        runner.close()
    finally:
        pool.close()


def test_a_template_that_nobody_needs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = RunnerPool(ON_PROCESSORS, ("wave",), slots=1, warm=0, idle_seconds=0.2)
    try:
        pool.stock()
        runner = pool.take(Echo)
        heavy = pool._new(("wave",))
        template = parent_of(heavy.process.pid)
        time.sleep(1.0)  # longer than it is kept; but a job runs
        assert is_alive(template)
        heavy.close()
        pool.give_back(runner, again=False)
        wait_until(lambda: not is_alive(template))
    finally:
        pool.close()


@pytest.mark.skipif(sys.platform != "linux", reason="parents are looked up in /proc")
def test_a_runner_that_is_begun_anew_listens_as_well() -> None:
    with ThreadPoolExecutor(1) as starter:
        runner = starter.submit(Runner, (), Spawn((), ON_PROCESSORS)).result()
        assert runner.alive
        assert parent_of(runner.process.pid) == os.getpid()
        os.close(runner._telling)
        runner._telling = os.open(os.devnull, os.O_RDONLY)
        assert runner.process.wait(20) == -signal.SIGKILL
        runner.close()
