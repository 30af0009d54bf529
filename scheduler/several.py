"""Several at once: what waits for a server most of the time, and ids that are taken a few at a time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Found = TypeVar("Found")

#: Requests to the store under way at once.
THREADS = 8


def at_once(ask: Callable[[Given], Found], given: Sequence[Given]) -> list[Found]:
    """What is answered to each, in their order; a few are asked at once."""
    with ThreadPoolExecutor(max(1, min(THREADS, len(given)))) as threads:
        return list(threads.map(ask, given))


def steps(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Some at a time."""
    return (ids[first : first + size] for first in range(0, len(ids), size))
