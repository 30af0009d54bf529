"""The one client of Redis, and how all keys in it begin. What ends a call is an error of ours.

Translated here and nowhere else, so that no caller of Triptych ever meets an error of the Redis library.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.client import Pipeline
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    InvalidResponse,
    NoPermissionError,
    NoScriptError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from jobs.errors import TriptychError
from scheduler.errors import AccessRefused, Refused, Unreachable
from scheduler.settings import RedisSettings
from scheduler.tls import hint, redis_options

PREFIX = "triptych:"

#: What to do about an answer that begins with this word.
_ADVICE = {
    "OOM": "its memory is full: raise its maxmemory",
    "READONLY": "it is a replica: set TRIPTYCH_REDIS_URL to the primary",
    "MISCONF": "it cannot write to its disk: see its log",
    "NOREPLICAS": "it waits for its replicas",
    "MASTERDOWN": "it is a replica that has lost its primary",
    "BUSY": "a script keeps it busy",
}


# Errors of the library as well: a worker, which outlives every outage, tells them from all others by that.
class RedisUnreachable(Unreachable, RedisError):
    """Redis does not answer."""


class RedisAccessRefused(AccessRefused, RedisError):
    """Redis refuses the password, or its certificate is not trusted."""


class RedisRefused(Refused, RedisError):
    """Redis answered that it does not do what was asked: it is full, a replica, or something else."""


class RedisClient(Redis):
    """Redis, whose errors are a `TriptychError` and a `RedisError`."""

    settings: RedisSettings

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        """As the library's.

        Raises:
            RedisUnreachable: no answer after retries.
            RedisAccessRefused: the password is wrong, or the certificate is not trusted.
            RedisRefused: any other answer that is an error.
        """
        with translated(self.settings):
            return super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        """Several commands at once, with the same errors."""
        built = _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        built.settings = self.settings
        return built


class _Pipeline(Pipeline):
    settings: RedisSettings

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """As the library's."""
        with translated(self.settings):
            return super().execute(raise_on_error)


def connect(settings: RedisSettings) -> RedisClient:
    """A client that reconnects by itself; every script of ours may be sent twice without harm."""
    client: RedisClient = RedisClient.from_url(  # type: ignore[assignment]
        settings.redis_url.get_secret_value(),
        decode_responses=True,
        socket_timeout=settings.redis_timeout,
        socket_connect_timeout=settings.redis_timeout,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), 5),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
        **redis_options(settings),
    )
    client.settings = settings
    return client


@contextmanager
def translated(settings: RedisSettings) -> Iterator[None]:
    """Turns what the library raises into errors of ours, in one sentence that never has the password."""
    try:
        yield
    except (TriptychError, NoScriptError):
        raise  # the second is the library's own way to learn that a script has to be sent in full
    except (AuthenticationError, AuthorizationError, NoPermissionError):
        raise RedisAccessRefused(
            f"Redis at {settings.address} refuses the password: check TRIPTYCH_REDIS_URL"
        ) from None
    except InvalidResponse as error:
        raise RedisRefused(
            f"what answers at {settings.address} is not Redis: check TRIPTYCH_REDIS_URL"
        ) from error
    except ResponseError as error:
        raise RedisRefused(f"Redis at {settings.address} refuses: {_reason(error)}") from error
    except (RedisError, OSError) as error:
        if todo := hint(error, settings.ca_file):
            raise RedisAccessRefused(f"Redis at {settings.address} does not answer: {todo}") from error
        raise RedisUnreachable(
            f"Redis at {settings.address} does not answer ({type(error).__name__}): start the stack with "
            "`triptych up`, or check TRIPTYCH_REDIS_URL"
        ) from error


def _reason(error: ResponseError) -> str:
    answer = str(error).partition(" script: ")[0].strip().splitlines() or [type(error).__name__]
    # The library takes the word away that it has made a class of.
    words = {"OutOfMemoryError": "OOM", "ReadOnlyError": "READONLY", "MasterDownError": "MASTERDOWN"}
    word = words.get(type(error).__name__) or answer[0].partition(" ")[0]
    advice = _ADVICE.get(word)
    return f"{answer[0]}; {advice}" if advice else answer[0]
