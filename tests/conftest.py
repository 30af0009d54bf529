"""Fixtures of every circle: real servers, one each for the whole run, and processes of ours."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.settings import RedisSettings, StoreSettings
from tests.servers import redis_server, s3_server

PLUGIN = Path(__file__).parent / "plugin"


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
    from jobs.transformer import tiny

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
