"""Passwords of the embedded stack: generated at the first start, kept in files of mode 0600."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from scheduler.embedded.home import write_private


@dataclass(frozen=True, repr=False)
class Secrets:
    """Every password of one home."""

    redis: str
    s3_access_key: str
    s3_secret_key: str
    flower: str


def load_or_generate(folder: Path) -> Secrets:
    """Reads the passwords kept in `folder`, one file each; makes those that are missing."""
    return Secrets(
        redis=_one(folder / "redis", 32),
        # S3's own limits: MinIO allows 3 to 20 characters for a user and 8 to 40 for a password.
        s3_access_key=_one(folder / "s3-access-key", 10),
        s3_secret_key=_one(folder / "s3-secret-key", 20),
        flower=_one(folder / "flower", 16),
    )


def flower_password_file(folder: Path) -> Path:
    """Where a person finds the password for Flower's pages."""
    return folder / "flower"


def _one(path: Path, size: int) -> str:
    # An empty file is what a full disk leaves: as good as none.
    if path.exists() and (kept := path.read_text().strip()):
        path.chmod(0o600)
        return kept
    # Hexadecimal needs no quoting in a URL, a TOML file or a redis.conf.
    made = secrets.token_hex(size)
    write_private(path, f"{made}\n")
    return made
