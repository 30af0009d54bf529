"""A stack of its own for a measurement."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scheduler import Client
from scheduler.embedded import Stack

PLUGIN = Path(__file__).parent.parent / "tests" / "plugin"


@contextmanager
def running_stack() -> Iterator[Client]:
    """The embedded stack with its default settings, in a folder of its own, with the tests' trial family."""
    with tempfile.TemporaryDirectory(prefix="triptych-bench-") as folder:
        os.environ["TRIPTYCH_HOME"] = folder
        os.environ["PYTHONPATH"] = os.pathsep.join((str(PLUGIN), os.environ.get("PYTHONPATH", "")))
        stack = Stack(Path(folder))
        stack.up_detached()
        try:
            yield Client()
        finally:
            stack.down()
