"""What a setting can be. No text here ever has a value or a part of one, which may be a password."""

import os
import re
import ssl
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, SecretStr

from scheduler.durations import seconds_kept

#: The longest that anything here lasts: what is longer no clock of the system takes.
_LONGEST_SECONDS = 30 * 24 * 3600
_LONGEST_TEXT = 8192
#: What may stand behind `?` in an address of Redis, as the library and Celery read it.
_QUERY = frozenset(
    {
        *("db", "username", "password", "protocol", "client_name", "max_connections", "retry_on_timeout"),
        *("socket_timeout", "socket_connect_timeout", "socket_keepalive", "health_check_interval"),
        *("ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"),
    }
)
# As the S3 library has it.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9_.:-]{1,61}[a-z0-9]", re.IGNORECASE)
_REGION = re.compile(r"(?![_-])[a-z_\d-]{1,63}(?<![_-])", re.IGNORECASE)
_REDIS_FORM = (
    "it must look like redis://:password@host:6379/0; in a password write %23 for #, %2F for /, %3F for ?, "
    "%40 for @, %5B for [ and %25 for %"
)
_S3_FORM = "it must look like http://host:9000, without keys, path or anything else"


def readable(value: object) -> object:
    """Refuses what no setting can hold, whatever it is for."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str):
        return value
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"it has more than {_LONGEST_TEXT} characters")
    if any(ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 or 0xD800 <= ord(sign) < 0xE000 for sign in text):
        raise ValueError("it has a line break, another control character, or bytes that are not UTF-8")
    return value


def redis_parts(url: str) -> SplitResult:
    """The parts of Redis's address."""
    parts = _split(url, ("redis", "rediss"), _REDIS_FORM)
    names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if not re.fullmatch(r"/?\d{0,9}", parts.path) or not names <= _QUERY or (parts.query and not names):
        raise ValueError(_REDIS_FORM)
    from redis.connection import parse_url

    try:
        parse_url(url)  # type: ignore[no-untyped-call]
    except ValueError:
        raise ValueError(_REDIS_FORM) from None
    return parts


def s3_parts(url: str) -> SplitResult:
    """The parts of the S3 server's address."""
    parts = _split(url, ("http", "https"), _S3_FORM)
    if "@" in parts.netloc or parts.path not in ("", "/") or parts.query:
        raise ValueError(_S3_FORM)
    return parts


def _split(url: str, schemes: tuple[str, ...], form: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if host:
            host.encode("idna")  # as the system does before it looks the name up
    except ValueError:
        raise ValueError(form) from None
    strange = parts.fragment or "#" in url or port == 0 or url != url.strip()
    if parts.scheme not in schemes or not host or re.search(r"[\s/\\%]", host) or strange:
        raise ValueError(form)
    return parts


def _redis_url(url: SecretStr) -> SecretStr:
    redis_parts(url.get_secret_value())
    return url


def _s3_url(url: str) -> str:
    s3_parts(url)
    return url


def _access_key(key: SecretStr) -> SecretStr:
    text = key.get_secret_value()
    if not text.isascii() or text != text.strip():
        raise ValueError("it may have ASCII characters only, and no space at either end")
    return key


def _bucket(name: str) -> str:
    number = re.fullmatch(r"(\d{1,3}\.){3}\d{1,3}", name)
    if not _BUCKET.fullmatch(name) or number or any(pair in name for pair in ("..", ".-", "-.")):
        raise ValueError("a bucket's name has 3 to 63 lower-case letters, digits, dots and dashes")
    return name


def _region(name: str) -> str:
    if not _REGION.fullmatch(name):
        raise ValueError("a region's name has letters, digits and dashes, such as us-east-1")
    return name


def _authority(path: Path) -> Path:
    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ValueError):
        raise ValueError("it must name a file that can be read, with a certificate in PEM") from None
    return path


def _worker_name(name: str) -> str:
    if len(name) > 200 or re.search(r"[%@\s]", name):
        raise ValueError("it may have at most 200 characters, and neither %, @ nor a space")
    return name


def _host(name: str) -> str:
    try:
        name.encode("idna")
    except ValueError:
        raise ValueError("it must be an address or a name of this machine") from None
    return name


def _writable_folder(path: Path) -> Path:
    """A folder that is there and open to us, or can be made."""
    try:
        path = path.expanduser()
        there = next(each for each in (path, *path.absolute().parents) if each.exists())
        usable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    except (OSError, RuntimeError, ValueError):
        usable = False
    if not usable:
        raise ValueError("it must name a folder that can be written to, or can be made")
    return path


def home_folder(text: str) -> Path:
    """The folder of a stack, which need not be there yet."""
    readable(text)
    try:
        path = Path(text).expanduser().absolute()
        usable = path.is_dir() or not path.exists()
    except (OSError, RuntimeError, ValueError):
        usable = False
    if not usable:
        raise ValueError("it must name a folder")
    return path


def _file_in_a_folder(path: Path) -> Path:
    try:
        usable = path.absolute().parent.is_dir() and not path.is_dir()
    except (OSError, ValueError):
        usable = False
    if not usable:
        raise ValueError("it must name a file in a folder that is there")
    return path


def _size(value: object) -> object:
    # Longer numbers are more than any machine has, and too large for the library that reads them.
    if isinstance(value, str) and len(value) > 30:
        raise ValueError("it must be a number of bytes, such as 6GiB")
    return value


def _kept(text: str) -> str:
    seconds_kept(text)
    return text


Kept = Annotated[str, AfterValidator(_kept)]
Size = Annotated[ByteSize, BeforeValidator(_size)]
Seconds = Annotated[float, Field(ge=0.001, le=_LONGEST_SECONDS, allow_inf_nan=False)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
S3Url = Annotated[str, AfterValidator(_s3_url)]
AccessKey = Annotated[SecretStr, AfterValidator(_access_key)]
Bucket = Annotated[str, AfterValidator(_bucket)]
Region = Annotated[str, AfterValidator(_region)]
Authority = Annotated[Path, AfterValidator(_authority)]
WorkerName = Annotated[str, AfterValidator(_worker_name)]
Host = Annotated[str, AfterValidator(_host)]
Folder = Annotated[Path, AfterValidator(_writable_folder)]
TouchedFile = Annotated[Path, AfterValidator(_file_in_a_folder)]
