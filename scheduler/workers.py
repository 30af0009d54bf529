"""Which workers are alive: each keeps a record in Redis that is gone soon after the worker is."""

import json
from dataclasses import asdict, dataclass
from typing import Any, cast

from redis import Redis

from scheduler.records import PREFIX

_NAMES = f"{PREFIX}workers"

#: The name's holder is checked and the record written in one step. KEYS: record, names.
#: ARGV: name, token, place, about (JSON), milliseconds. Returns the place of another live holder, or "".
_ANNOUNCE = """
local holder = redis.call('HGET', KEYS[1], 'token')
if holder and holder ~= ARGV[2] then return redis.call('HGET', KEYS[1], 'place') end
redis.call('HSETNX', KEYS[1], 'since', redis.call('TIME')[1])
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'place', ARGV[3], 'about', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('SADD', KEYS[2], ARGV[1])
return ''
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
    draining: bool  #: it ends, and takes no new jobs


@dataclass(frozen=True)
class LiveWorker:
    """A worker whose record has not run out."""

    name: str
    place: str  #: host and process id
    since: float  #: seconds since 1970, by Redis's clock
    about: About


class Workers:
    """The records of all live workers."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def announce(self, name: str, token: str, place: str, about: About, seconds: float) -> str:
        """Writes a worker's record for some seconds.

        Args:
            name: the worker's name.
            token: sets this process apart from any other of that name.
            place: host and process id, for people.
            about: what it says of itself.
            seconds: until the record runs out.

        Returns:
            Where another live worker of this name runs, in which case nothing is written; else "".
        """
        arguments = (name, token, place, json.dumps(asdict(about)), str(int(seconds * 1000)))
        return cast("str", self._run(_ANNOUNCE, *arguments))

    def remove(self, name: str, token: str) -> None:
        """Removes a worker's record, if it is this process's."""
        self._run(_REMOVE, name, token)

    def living(self) -> list[LiveWorker]:
        """All live workers, by name."""
        names = sorted(cast("set[str]", self._redis.smembers(_NAMES)))
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.hgetall(_key(name))
        found = dict(zip(names, pipeline.execute(), strict=True))
        if gone := [name for name, fields in found.items() if not fields]:
            self._redis.srem(_NAMES, *gone)  # one that is back in this moment enters itself at its next beat
        return [_live(name, fields) for name, fields in found.items() if fields]

    def _run(self, script: str, name: str, *arguments: str) -> Any:
        return self._redis.eval(script, 2, _key(name), _NAMES, name, *arguments)


def _key(name: str) -> str:
    return f"{PREFIX}worker:{name}"


def _live(name: str, fields: dict[str, str]) -> LiveWorker:
    return LiveWorker(name, fields["place"], float(fields["since"]), About(**json.loads(fields["about"])))
