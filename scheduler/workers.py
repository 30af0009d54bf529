"""Which workers are alive: each keeps a record in Redis that is gone soon after the worker is."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as dataclass_fields
from typing import cast

from redis import Redis

from scheduler.connection import PREFIX
from scheduler.errors import Refused, UnknownWorker

_NAMES = f"{PREFIX}workers"
#: There while a worker of the GPU pool takes jobs.
_GPU = f"{PREFIX}workers:gpu"
#: The pools whose workers, whichever they are, take no jobs.
_PAUSED = f"{PREFIX}paused_pools"

#: The name's holder is checked and the record written in one step. KEYS: record, names, GPU, paused pools.
#: ARGV: name, token, place, about (JSON), milliseconds, 1 if it takes jobs of the GPU pool,
#: its seat: the holder that has the same one is its former self, of which nothing is alive; its pool.
#: Returns the place of another live holder, or ""; whether it is asked to drain; whether the GPU pool lives.
_ANNOUNCE = """
local holder = redis.call('HGET', KEYS[1], 'token')
local seat = redis.call('HGET', KEYS[1], 'seat')
if holder and holder ~= ARGV[2] and ARGV[7] ~= '' and seat == ARGV[7] then
  redis.call('DEL', KEYS[1])
elseif holder and holder ~= ARGV[2] then return {redis.call('HGET', KEYS[1], 'place'), 0, 0}
end
redis.call('HSETNX', KEYS[1], 'since', redis.call('TIME')[1])
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'place', ARGV[3], 'about', ARGV[4], 'seat', ARGV[7])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('SADD', KEYS[2], ARGV[1])
if ARGV[6] == '1' then redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[5]) end
local drain = redis.call('HEXISTS', KEYS[1], 'drain') == 1 or redis.call('SISMEMBER', KEYS[4], ARGV[8]) == 1
return {'', drain and 1 or 0, redis.call('EXISTS', KEYS[3])}
"""
#: KEYS: record. ARGV: 1 to drain, 0 to take jobs again. Returns whether there is such a worker.
_DRAIN = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if ARGV[1] == '1' then redis.call('HSET', KEYS[1], 'drain', 1) else redis.call('HDEL', KEYS[1], 'drain') end
return 1
"""
_REMOVE = """
if redis.call('HGET', KEYS[1], 'token') == ARGV[2] then
  redis.call('DEL', KEYS[1])
  redis.call('SREM', KEYS[2], ARGV[1])
end
"""


@dataclass(frozen=True)
class About:
    """What a worker says of itself."""

    pool: str
    slots: int
    threads: int  #: of each job
    device: str
    memory: int | None  #: bytes resident, of the worker and its runners; None where it cannot be measured
    draining: bool  #: it gives its jobs back, and takes no new ones
    cache: int = 0  #: bytes that its cache has on its disk
    cache_limit: int = 0  #: bytes that the cache may have; 0: a worker of a version that knows no bound


@dataclass(frozen=True)
class LiveWorker:
    """A worker whose record has not run out."""

    name: str
    place: str  #: host and process id
    since: float  #: seconds since 1970, by Redis's clock
    about: About


@dataclass(frozen=True)
class Answer:
    """What a worker learns when it announces itself.

    Attributes:
        other: where another live worker of its name runs, in which case nothing was written; else "".
        drain: whether it is asked to give its jobs back and take no new ones.
        gpu: whether a worker of the GPU pool takes jobs.
    """

    other: str
    drain: bool = False
    gpu: bool = False


class Workers:
    """The records of all live workers."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def announce(
        self, name: str, token: str, place: str, about: About, seconds: float, seat: str = ""
    ) -> Answer:
        """Writes a worker's record for some seconds.

        Args:
            name: the worker's name.
            token: sets this process apart from any other of that name.
            place: host and process id, for people.
            about: what it says of itself.
            seconds: until the record runs out.
            seat: as `Records.claim` has it.
        """
        takes_gpu_jobs = "1" if about.pool == "gpu" and not about.draining else "0"
        milliseconds = str(int(seconds * 1000))
        said = json.dumps(asdict(about))
        arguments = (name, token, place, said, milliseconds, takes_gpu_jobs, seat, about.pool)
        other, drain, gpu = self._redis.eval(_ANNOUNCE, 4, _key(name), _NAMES, _GPU, _PAUSED, *arguments)
        return Answer(other, bool(drain), bool(gpu))

    def remove(self, name: str, token: str) -> None:
        """Removes a worker's record, if it is this process's."""
        self._redis.eval(_REMOVE, 2, _key(name), _NAMES, name, token)

    def drain(self, name: str, *, undo: bool = False) -> None:
        """Asks a worker to give its jobs back at their next step and take no new ones, or to take them again.

        It stays up and idle until that is undone, or it starts anew.

        Args:
            name: as `living` has it.
            undo: whether it is to take jobs again.

        Raises:
            UnknownWorker: no live worker has this name.
        """
        if not self._redis.eval(_DRAIN, 1, _key(name), "0" if undo else "1"):
            names = ", ".join(worker.name for worker in self.living()) or "none"
            raise UnknownWorker(f"no live worker is named {name!r}; alive: {names}")

    def pause(self, pool: str) -> None:
        """Makes all workers of a pool, those that start later too, give their jobs back and take none."""
        self._redis.sadd(_PAUSED, pool)

    def resume(self, pool: str) -> None:
        """Lets the workers of a pool take jobs again."""
        self._redis.srem(_PAUSED, pool)

    def paused(self) -> list[str]:
        """The pools that are paused."""
        return sorted(cast("set[str]", self._redis.smembers(_PAUSED)))

    def gpu_lives(self) -> bool:
        """Whether a worker of the GPU pool takes jobs."""
        return bool(self._redis.exists(_GPU))

    def living(self) -> list[LiveWorker]:
        """All live workers, by name."""
        names = sorted(cast("set[str]", self._redis.smembers(_NAMES)))
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.hgetall(_key(name))
        found = dict(zip(names, pipeline.execute(), strict=True))
        if gone := [name for name, fields in found.items() if not fields]:
            with suppress(Refused):  # a replica, or full: tidying up is not what was asked for
                self._redis.srem(_NAMES, *gone)  # one that is back just now enters itself at its next beat
        return [_live(name, fields) for name, fields in found.items() if fields]


def _key(name: str) -> str:
    return f"{PREFIX}worker:{name}"


def _live(name: str, fields: dict[str, str]) -> LiveWorker:
    known = {field.name for field in dataclass_fields(About)}
    about = About(**{name: value for name, value in json.loads(fields["about"]).items() if name in known})
    asked = replace(about, draining=about.draining or "drain" in fields)  # which it learns a heartbeat later
    return LiveWorker(name, fields["place"], float(fields["since"]), asked)
