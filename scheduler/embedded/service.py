"""What the supervisor needs to know of a part."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

#: What a server may see of the surroundings. Not the rest: SeaweedFS and MinIO would take credentials,
#: addresses and options from variables that are meant for other programs.
PLAIN_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LD_LIBRARY_PATH")


class Service(ABC):
    """One part of the stack: how it is configured, started, and known to be ready."""

    #: Its name in status, logs and messages.
    name: ClassVar[str]
    #: How long it may take to answer after its start, on a slow and busy machine.
    start_seconds: ClassVar[float] = 60.0

    #: The folder in which it runs and keeps its data.
    folder: Path

    @property
    def stop_seconds(self) -> float:
        """How long it may take to end by itself."""
        return 10.0

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it answers, for people; an empty text for a part that listens nowhere."""

    def prepare(self) -> None:  # noqa: B027 - not every part has files to write
        """Writes the files that the part reads at its start."""

    @abstractmethod
    def command(self) -> list[str]:
        """Program and arguments; nothing secret, since every user of the machine can list them."""

    def environment(self) -> dict[str, str]:
        """The environment of its process, which only its owner can read."""
        return {name: os.environ[name] for name in PLAIN_VARIABLES if name in os.environ}

    @abstractmethod
    def ready(self) -> bool:
        """Whether it does its work now: asks once, and does not wait."""

    def clean_up(self) -> None:  # noqa: B027 - most parts leave nothing
        """Removes what an ended part leaves outside its folder."""
