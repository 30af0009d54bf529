"""Of several schedulers, the one that does a certain work."""

from secrets import token_hex

from redis import Redis

from scheduler.connection import PREFIX


class Leader:
    """The right to do a certain work, which one process has and loses soon after it dies."""

    def __init__(self, redis: Redis, work: str, seconds: float) -> None:
        """Takes the name of the work, and how long the right lasts without being asked for again."""
        self._redis = redis
        self._key = f"{PREFIX}{work}"
        self._held = int(seconds * 1000)
        self._token = token_hex(8)

    def leads(self) -> bool:
        """Whether this process is to do the work now."""
        if self._redis.set(self._key, self._token, nx=True, px=self._held):
            return True
        if self._redis.get(self._key) == self._token:
            self._redis.pexpire(self._key, self._held)
            return True
        return False
