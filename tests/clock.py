"""Redis's clock, put wrong: what the scripts of this process take for now follows a key in Redis."""

from typing import Any

from redis import Redis

from scheduler import scripts
from scheduler.connection import PREFIX

_KEY = f"{PREFIX}clock-of-tests"
_TRUE = "local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000"
_WRONG = f"""{_TRUE}
do
  local since, speed, ahead = unpack(redis.call('HMGET', '{_KEY}', 'since', 'speed', 'ahead'))
  if since then now = tonumber(since) + (now - since) * speed + ahead end
end"""


def follow_the_key(patch: Any) -> None:
    """Makes the scripts of this process take the time from the key; `patch` is a pytest.MonkeyPatch."""
    true_source = scripts._source

    def source(name: str) -> str:
        text = true_source(name)
        assert _TRUE in text
        return text.replace(_TRUE, _WRONG)

    patch.setattr(scripts, "_source", source)


def put(redis: Redis, *, speed: float = 1.0, ahead: float = 0.0) -> None:
    """From now on the clock runs at a speed, so many seconds ahead."""
    seconds, microseconds = redis.time()
    fields = {"since": f"{seconds + microseconds / 1e6:.6f}", "speed": speed, "ahead": ahead}
    redis.hset(_KEY, mapping=fields)
