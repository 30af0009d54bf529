"""Tests run beside each other: none is left out, and no two are given the same port."""

import subprocess
import sys
from itertools import groupby
from pathlib import Path

from tests import ports
from tests.distribution import in_order, scope_of

ROOT = Path(__file__).parents[2]


def test_every_test_is_in_the_order_once_and_files_stay_together() -> None:
    files = (
        "unit/test_a.py",
        "unit/test_verification.py",
        "chaos/test_b.py",
        "elsewhere/test_c.py",
        "unit/d.py",
    )
    ids = [f"tests/{file}::test_{number}" for number in range(3) for file in files]
    found = in_order((one, one) for one in ids)
    assert sorted(found) == sorted(ids)
    assert found[:2] == ["tests/chaos/test_b.py::test_0", "tests/chaos/test_b.py::test_1"]
    files_in_order = [_file(one) for one in found if "verification" not in one]
    assert len(list(groupby(files_in_order))) == len(files) - 1


def test_files_that_look_at_one_stack_go_to_one_process_and_a_long_file_to_two() -> None:
    together = {scope_of(f"tests/acceptance/test_{name}.py::test_a") for name in ("gan", "cli", "flower")}
    assert len(together) == 1
    assert scope_of("tests/acceptance/test_stack.py::test_a") not in together
    long = [scope_of(f"tests/unit/test_verification.py::test_{number}") for number in range(100)]
    assert len(set(long)) == 2
    assert all(40 <= long.count(share) <= 60 for share in long)
    assert scope_of("tests/unit/test_a.py::test_a") == scope_of("tests/unit/test_a.py::test_b")


def test_ctrl_c_reaches_what_tests_start_though_a_shell_has_told_them_to_ignore_it() -> None:
    """As `nohup make test &` does in a shell without job control."""
    program = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from tests import conftest\n"
        "conftest.pytest_configure()\n"
        "ask = 'import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)'\n"
        "print(subprocess.run([sys.executable, '-c', ask], capture_output=True, text=True).stdout)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"


def test_a_port_is_given_away_once_and_to_one_process() -> None:
    mine = [ports.free_port() for _ in range(20)] + [ports.free_port(also=10_000)]
    assert len(set(mine)) == len(mine)
    program = (
        "import sys; from itertools import count; from tests import ports\n"
        f"ports._candidates = count({mine[0]} - ports._FIRST)\n"
        "print(*(ports.free_port(also=10_000 * (number % 2)) for number in range(20)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    theirs = {int(port) for port in done.stdout.split()}
    assert len(theirs) == 20
    assert not theirs & {*mine, mine[-1] + 10_000}


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]
