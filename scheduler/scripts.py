"""The Lua scripts (in `lua/`) that change records: the check and the write of each are one step."""

from pathlib import Path
from typing import Any

from redis import Redis
from redis.commands.core import Script

from scheduler.capacity import NEARLY_FULL
from scheduler.connection import PREFIX
from scheduler.states import TRANSITIONS
from scheduler.streams import EVENTS_KEPT

#: Seconds, of the histograms in the tally: from a free slot to a night in the queue.
BOUNDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 43200.0)


class Scripts:
    """The scripts, each sent to Redis whole once and by its digest from then on."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._known: dict[str, Script] = {}

    def run(self, name: str, *arguments: object) -> Any:
        """What a script answers, by the name of its file."""
        script = self._known.get(name)
        if script is None:
            script = self._known[name] = self._redis.register_script(_source(name))
        return script(args=[str(argument) for argument in arguments])


def _source(name: str) -> str:
    folder = Path(__file__).parent / "lua"
    allowed = ", ".join(
        f"['{before}>{after}'] = true" for before, afters in TRANSITIONS.items() for after in afters
    )
    final = ", ".join(f"{state} = true" for state, afters in TRANSITIONS.items() if not afters)
    bounds = ", ".join(f"{bound:g}" for bound in BOUNDS)
    head = (
        f"local P = '{PREFIX}'\nlocal EVENTS_KEPT = {EVENTS_KEPT}\nlocal ALLOWED = {{ {allowed} }}\n"
        f"local NEARLY_FULL = {NEARLY_FULL}\n"
        f"local FINAL = {{ {final} }}\nlocal BOUNDS = {{ {bounds} }}\n"
    )
    return head + (folder / "prelude.lua").read_text() + (folder / f"{name}.lua").read_text()
