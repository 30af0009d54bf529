"""What people type for a moment: `+90` (seconds from now) or `2026-07-01T02:30`."""

import math
import time
from datetime import UTC, datetime

import typer


def seconds_since_1970(text: str) -> float:
    """The moment in seconds since 1970; without an offset it is this machine's local time.

    Raises:
        BadParameter: it is neither a count of seconds nor a moment in ISO 8601.
    """
    refusal = typer.BadParameter(
        "--start-at takes +SECONDS from now, such as +90, or a moment in ISO 8601, such as "
        f"2026-07-01T02:30 or 2026-07-01T02:30+02:00; received {text!r}"
    )
    try:
        if not text.startswith("+"):
            return datetime.fromisoformat(text).astimezone(UTC).timestamp()
        seconds = float(text)
    except (ValueError, OverflowError):
        raise refusal from None
    if not math.isfinite(seconds):
        raise refusal
    return time.time() + seconds
