"""`result.json`: what a job left as data, and what a short one would else tell in small objects beside it.

A job of a fortieth of a second has a line of log, a few reports and a place in which it ran. As objects of
their own they cost more than its work does, so they stand in the result, which is written anyway.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from scheduler.artifacts import ArtifactStore
from scheduler.errors import UnknownArtifact
from scheduler.keys import JobKeys

#: Bytes of a log, or of metrics, that the result may carry.
MOST_TOLD = 4096


@dataclass(frozen=True)
class Told:
    """What the attempt that left the result says in it; None for what is an object of its own.

    Attributes:
        attempt: its number; 0 if there is no result.
        environment: where it ran.
        log: all that it has printed.
        metrics: its reports, a line each.
        result: what the job left as data.
    """

    attempt: int = 0
    environment: Mapping[str, str] | None = None
    log: str | None = None
    metrics: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, store: ArtifactStore, keys: JobKeys) -> Self:
        """What the result of a job says; nothing if there is none."""
        try:
            data = store.get_json(keys.result)
        except UnknownArtifact:
            return cls()
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})

    def fields(self) -> dict[str, Any]:
        """Those of `result.json`."""
        return {name: value for name, value in asdict(self).items() if value is not None}
