"""What a process that is to kill itself (`victim`) is told by who compares (`verify`)."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

#: A line for each attempt's beginning (`resumed_from`), and one for its violent end (`killed_at`, `moment`).
DIARY = "attempts.jsonl"


class Moment(StrEnum):
    """Where in its work a process is killed."""

    BOUNDARY = "between two chunks of steps"
    INSIDE = "in the middle of a chunk"
    SAVING = "while a checkpoint was written"


@dataclass(frozen=True)
class Kill:
    """When a process has to kill itself."""

    step: int  #: not before this step is done, nor before there is a checkpoint
    moment: Moment
    share: float  #: of a chunk's time until the kill, or of a checkpoint's bytes that are left; 0 to 1


@dataclass(frozen=True)
class Assignment:
    """What a process is started with."""

    spec: dict[str, Any]
    folder: str
    data: dict[str, str]
    kill: dict[str, Any] | None

    def to_json(self) -> str:
        """As the process takes it."""
        return json.dumps(asdict(self))
