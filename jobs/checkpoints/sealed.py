"""Content with its digest in front, so that a damaged copy of it is noticed."""

import hashlib

_DIGEST_BYTES = hashlib.sha256().digest_size


def seal(content: bytes) -> bytes:
    """The content behind its SHA-256."""
    return hashlib.sha256(content).digest() + content


def unseal(sealed: bytes) -> bytes | None:
    """What `seal` was given, or None if a byte of it has changed since."""
    digest, content = sealed[:_DIGEST_BYTES], sealed[_DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == digest else None
