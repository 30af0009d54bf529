"""`triptych init`: the passwords of a stack in containers."""

import os
import secrets
from pathlib import Path

from scheduler.cli.output import say
from scheduler.errors import StackError
from scheduler.settings import PREFIX

_FILE = Path(".env")


def init() -> None:
    """Write new passwords for `docker compose` into `.env` in this folder. Never overwrites one."""
    try:
        # Closed to others from its first moment on, and refused if it is there: a new password would lock
        # everybody out of the data that the old one guards.
        handle = os.open(_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise StackError(
            f"{_FILE.absolute()} is there already and is left as it is: go on with `docker compose up`, "
            "or move it away if its stack and data are no longer needed"
        ) from None
    with os.fdopen(handle, "w") as file:
        file.write(environment())
    say(f"{_FILE.absolute()} holds the passwords now; keep it. Next: docker compose up -d --wait")


def environment() -> str:
    """The file: what docker-compose.yml reads, and how a client on this machine finds the servers."""
    # Hexadecimal needs no quoting, neither in a URL nor in this file. S3's own limits: 20 and 40 characters.
    redis, key, secret, flower = (secrets.token_hex(size) for size in (32, 10, 20, 16))
    lines = {
        "REDIS_PASSWORD": redis,
        "S3_ACCESS_KEY": key,
        "S3_SECRET_KEY": secret,
        "FLOWER_PASSWORD": flower,  # the user is triptych
        "REDIS_URL": f"redis://:{redis}@127.0.0.1:6379/0",
        "S3_URL": "http://127.0.0.1:9000",
    }
    return "".join(f"{PREFIX}{name}={value}\n" for name, value in lines.items())
