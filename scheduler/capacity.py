"""How full Redis is: new jobs are refused before writes fail, so that those that run can end."""

from dataclasses import dataclass
from typing import Any

from redis import Redis

#: Share of Redis's `maxmemory` from which no new job is accepted. What is left is for those that are.
NEARLY_FULL = 0.9


@dataclass(frozen=True)
class Memory:
    """Redis's memory.

    Attributes:
        used: bytes that count against the limit.
        limit: its `maxmemory`; 0 if it has none.
        address: of Redis, for people.
    """

    used: int
    limit: int
    address: str

    @property
    def nearly_full(self) -> bool:
        """Whether new jobs are refused."""
        return self.limit > 0 and self.used >= NEARLY_FULL * self.limit

    @property
    def sentence(self) -> str:
        """What it means, and what to do."""
        how = "full" if self.used >= self.limit else "nearly full"
        return (
            f"Redis at {self.address} refuses: its memory is {how} ({self.used / 1e6:.1f} of "
            f"{self.limit / 1e6:.1f} MB), so no new job is accepted; those that run go on: delete old ones "
            "with `triptych prune`, or raise its maxmemory"
        )


def memory(redis: Redis) -> Memory:
    """As it is now; the same figures as in `lua/prelude.lua`."""
    found: Any = redis.info("memory")
    used = int(found["used_memory"]) - int(found.get("mem_not_counted_for_evict", 0))
    server = redis.connection_pool.connection_kwargs
    address = f"{server.get('host')}:{server.get('port')}"
    return Memory(used, int(found.get("maxmemory", 0)), address)
