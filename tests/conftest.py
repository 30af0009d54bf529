"""Fixtures of every circle: real servers, one each for a process of tests, and processes of ours."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.settings import RedisSettings, StoreSettings
from tests import distribution
from tests.servers import redis_server, s3_server

PLUGIN = Path(__file__).parent / "plugin"
#: What a test found out that people want to read: `record_property(TOLD, text)` prints it at the end.
TOLD = "told"


def pytest_configure() -> None:
    """Lets Ctrl-C reach the tests and what they start as in a terminal.

    A shell without job control starts what it puts into the background with SIGINT ignored, and children
    inherit that: `triptych watch`, told to end by SIGINT, would rightly not listen.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    return distribution.processes()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> distribution.ByFile:
    return distribution.ByFile(config, log)  # its log: one of its own would print every step


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items[:] = distribution.in_order((item.nodeid, item) for item in items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, text in report.user_properties:
            if name == TOLD:
                terminalreporter.section(report.nodeid)
                terminalreporter.line(str(text))


@pytest.fixture(autouse=True, scope="session")
def plugin_for_children() -> None:
    """Workers started by tests find the trial family, too."""
    paths = [str(PLUGIN), str(PLUGIN.parent.parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """No test finds, or disturbs, a stack that the person at this machine has running."""
    if "stack" not in request.fixturenames:
        monkeypatch.setenv("TRIPTYCH_HOME", str(tmp_path / "home"))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A folder with an encoder of random weights in Hugging Face's format."""
    from jobs.pretrained.built import tiny

    folder = tmp_path / "checkpoint"
    folder.mkdir()
    tiny.write(folder)
    return folder


@pytest.fixture(scope="session")
def redis_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisSettings]:
    with redis_server(tmp_path_factory.mktemp("redis")) as settings:
        yield settings


@pytest.fixture(scope="session")
def store_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    with s3_server(tmp_path_factory.mktemp("s3")) as settings:
        yield settings
