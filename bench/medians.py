"""How long something takes."""

import statistics
import time
from collections.abc import Callable


def median_milliseconds(action: Callable[[], object], times: int) -> float:
    """The median of so many calls, after one that does not count."""
    action()
    spent = []
    for _ in range(times):
        began = time.monotonic()
        action()
        spent.append(time.monotonic() - began)
    return statistics.median(spent) * 1000
