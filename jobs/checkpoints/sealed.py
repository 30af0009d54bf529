"""Content with its digest in front, so that a damaged copy of it is noticed."""

import hashlib
from pathlib import Path

_DIGEST_BYTES = hashlib.sha256().digest_size


def seal(content: bytes) -> bytes:
    """The content behind its SHA-256."""
    return hashlib.sha256(content).digest() + content


def unseal(sealed: bytes) -> bytes | None:
    """What `seal` was given, or None if a byte of it has changed since."""
    digest, content = sealed[:_DIGEST_BYTES], sealed[_DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == digest else None


def seal_file(path: Path) -> None:
    """Adds the SHA-256 of a file's content to its end."""
    digest = _digest_of(path)
    with path.open("ab") as file:
        file.write(digest)


def unseal_file(path: Path) -> bool:
    """Takes the digest off again; False if a byte of the file has changed since."""
    size = path.stat().st_size - _DIGEST_BYTES
    if size < 0:
        return False
    with path.open("r+b") as file:
        file.seek(size)
        sealed = file.read()
        file.truncate(size)
    return _digest_of(path) == sealed


def _digest_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
