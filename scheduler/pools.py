"""The pools that jobs wait in, and how urgent they are."""

from jobs.errors import InvalidSpec

#: Queues of the same names. Jobs on `any` go to workers of the GPU pool, and to those of the CPU pool while
#: none of the former is alive.
POOLS = ("cpu", "gpu", "any")
#: 0 is the most urgent.
PRIORITIES = range(10)
DEFAULT_PRIORITY = 5


def checked_priority(priority: int) -> int:
    """The priority, if there is such a one.

    Raises:
        InvalidSpec: there is not.
    """
    if priority not in PRIORITIES:
        raise InvalidSpec(f"priority is {priority!r}; allowed are 0 (most urgent) to {PRIORITIES[-1]}")
    return priority
