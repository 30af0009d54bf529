"""`triptych init`: the passwords, and with `--tls` the certificates, of a stack in containers."""

import os
import secrets
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli.output import say
from scheduler.errors import StackError

_FILE = Path(".env")
_CERTIFICATES = Path("certs")
#: What the containers call the servers.
_INSIDE = ("redis", "minio")


def init(
    tls: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A name or address of this machine; may be repeated. Creates certs/."
        ),
    ] = None,
    missing: Annotated[
        bool,
        typer.Option("--missing", help="Add the settings that a newer version needs to an existing .env."),
    ] = False,
) -> None:
    """Write new passwords for `docker compose` into `.env` in this folder. Never overwrites an existing one.

    With `--tls`, Redis and the store use TLS, so that workers on other machines can use them.
    """
    if missing:
        _add_missing()
        return
    if tls:
        _check_that_certificates_can_be_made()
    with os.fdopen(_new_file(), "w") as file:
        file.write(environment(tls or ()))
    if tls:
        certificates(_CERTIFICATES, tls)
    say(f"{_FILE.absolute()} holds the passwords now; keep it. Next: docker compose up -d --wait")


def environment(tls: Sequence[str] = ()) -> str:
    """The file: what docker-compose.yml reads, and how a client on this machine finds the servers."""
    # Hexadecimal needs no quoting, neither in a URL nor in this file. S3's own limits: 20 and 40 characters.
    redis, key, secret, flower, metrics, grafana = (
        secrets.token_hex(size) for size in (32, 10, 20, 16, 16, 16)
    )
    lines = {
        "REDIS_PASSWORD": redis,
        "S3_ACCESS_KEY": key,
        "S3_SECRET_KEY": secret,
        "FLOWER_PASSWORD": flower,  # the user is triptych, here and in the next two
        "METRICS_PASSWORD": metrics,
        "GRAFANA_PASSWORD": grafana,
        "REDIS_URL": f"{'rediss' if tls else 'redis'}://:{redis}@127.0.0.1:6379/0",
        "S3_URL": f"{'https' if tls else 'http'}://127.0.0.1:9000",
    }
    if tls:
        lines["CA_FILE"] = str((_CERTIFICATES / "ca.pem").absolute())
    from scheduler.settings import PREFIX  # slow to import

    text = "".join(f"{PREFIX}{name}={value}\n" for name, value in lines.items())
    return text + ("COMPOSE_FILE=docker-compose.yml:compose.tls.yml\n" if tls else "")


def certificates(folder: Path, names: Sequence[str]) -> None:
    """Makes an authority and a certificate for the servers: `ca.pem`, `server.pem`, `server.key`."""
    from scheduler.embedded.certificates import write_certificates

    folder.mkdir(mode=0o700)
    files = [folder / name for name in ("ca.pem", "server.pem", "server.key")]
    write_certificates(files[0], files[1], files[2], [*_INSIDE, *names])
    for file in files:
        # In a folder that is closed to others. Each container gets the single files, and reads them as a user
        # of its own.
        file.chmod(0o644)


def _check_that_certificates_can_be_made() -> None:
    if find_spec("cryptography") is None:
        raise StackError("`--tls` needs the package cryptography: pip install cryptography")
    if _CERTIFICATES.exists():
        raise StackError(f"{_CERTIFICATES.absolute()} is there already and is left as it is: move it away")


def _new_file() -> int:
    try:
        # Closed to others from its first moment on, and refused if it is there: a new password would lock
        # everybody out of the data that the old one guards.
        return os.open(_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise StackError(
            f"{_FILE.absolute()} is there already and is left as it is: go on with `docker compose up`, "
            "or move it away if its stack and data are no longer needed"
        ) from None


def _add_missing() -> None:
    """Adds passwords that the file lacks; the addresses in it are its owner's."""
    text = _FILE.read_text()
    there = {line.partition("=")[0] for line in text.splitlines()}
    new = [
        line
        for line in environment().splitlines()
        if line.partition("=")[0] not in there and line.partition("=")[0].endswith("_PASSWORD")
    ]
    with _FILE.open("a") as file:
        file.write("" if text.endswith("\n") or not text else "\n")
        file.writelines(f"{line}\n" for line in new)
    names = ", ".join(line.partition("=")[0] for line in new)
    say(f"{_FILE.absolute()}: added {names}" if new else f"{_FILE.absolute()} has them all")
