"""A part of the stack that does nothing, for tests of how parts are started and ended."""

import sys
from pathlib import Path

from scheduler.embedded.service import Service


class Sleeper(Service):
    name = "sleeper"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def address(self) -> str:
        return ""

    def command(self) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]

    def ready(self) -> bool:
        return True
