"""What is known of a stack and its parts."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from scheduler.embedded.home import write_private


class PartState(StrEnum):
    """Where a part is in its life."""

    STARTING = "starting"  #: its process runs and does not answer yet
    READY = "ready"  #: it answered
    RESTARTING = "restarting"  #: it ended by itself, and is started again after a pause
    STOPPED = "stopped"  #: not started yet, or ended on purpose


@dataclass(frozen=True)
class PartStatus:
    """One part of the stack."""

    name: str
    state: PartState
    pid: int | None
    #: Where it answers; empty for a part that listens nowhere.
    address: str
    #: How often it ended by itself and was started again.
    restarts: int


@dataclass(frozen=True)
class StackStatus:
    """The stack as a person asks about it."""

    home: Path
    #: The supervising process; None when the stack is not up.
    pid: int | None
    parts: tuple[PartStatus, ...]
    #: Flower's address, and who may enter with which password; empty when the stack is not up.
    flower_url: str
    flower_user: str
    flower_password_file: Path
    logs: Path

    @property
    def running(self) -> bool:
        """Whether there is a stack, ready or on its way up or down."""
        return self.pid is not None

    @property
    def ready(self) -> bool:
        """Whether every part answers."""
        return self.running and bool(self.parts) and all(part.state is PartState.READY for part in self.parts)


def write_parts(path: Path, parts: tuple[PartStatus, ...]) -> None:
    """Leaves what is known for other processes to read."""
    write_private(path, json.dumps([asdict(part) for part in parts]))


def read_parts(path: Path) -> tuple[PartStatus, ...]:
    """What was written last; nothing when there is no file, or an unreadable one."""
    try:
        found = json.loads(path.read_text())
        return tuple(PartStatus(**{**part, "state": PartState(part["state"])}) for part in found)
    except (OSError, ValueError, TypeError, KeyError):
        return ()
