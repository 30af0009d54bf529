"""Names of what Redis keeps beside the records."""

import hashlib

from scheduler.connection import PREFIX
from scheduler.states import JobState


def digest_of_key(key: str) -> str:
    """As which Redis knows an idempotency key."""
    return hashlib.sha256(key.encode()).hexdigest()


def indices(state: JobState) -> tuple[str, str]:
    """Of jobs and of parts."""
    return f"{PREFIX}state:{state}", f"{PREFIX}parts:{state}"
