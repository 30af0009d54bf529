"""The whole stack, as `triptych up` starts it: one for the acceptance circle."""

import os
from collections.abc import Iterator

import pytest

from scheduler import Client
from scheduler.embedded import Stack
from tests import servers


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack that a client finds by itself."""
    with servers.stack(tmp_path_factory.mktemp("stack"), "seaweed") as whole:
        before = os.environ.get("TRIPTYCH_HOME")
        os.environ["TRIPTYCH_HOME"] = str(whole.home.root)
        yield whole
        if before is None:
            del os.environ["TRIPTYCH_HOME"]
        else:
            os.environ["TRIPTYCH_HOME"] = before


@pytest.fixture
def client(stack: Stack) -> Client:
    return Client()
