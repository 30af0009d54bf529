"""Writing in the background: side by side where it may be, in order where it must."""

import threading
import time

import pytest

from scheduler.errors import Unreachable
from worker.uploads import Uploads


def test_what_may_be_is_done_side_by_side_and_what_must_be_comes_in_order() -> None:
    uploads, done = Uploads(), list[str]()
    together = threading.Barrier(3, timeout=30)  # passed only if three are under way at once

    def small(name: str) -> None:
        together.wait()
        done.append(name)

    for name in ("a", "b", "c"):
        uploads.beside(name, lambda name=name: small(name))  # type: ignore[misc]
    uploads.add(lambda: done.append("checkpoint"))
    uploads.beside("d", lambda: done.append("d"))
    uploads.flush()
    assert sorted(done[:3]) == ["a", "b", "c"]
    assert done[3:] == ["checkpoint", "d"]
    uploads.close()


def test_of_one_key_the_last_stands() -> None:
    uploads, stored = Uploads(), dict[str, int]()

    def put(number: int) -> None:
        time.sleep(0.01 / (number + 1))  # the later, the quicker
        stored["key"] = number

    for number in range(10):
        uploads.beside("key", lambda number=number: put(number))  # type: ignore[misc]
    uploads.flush()
    assert stored == {"key": 9}
    uploads.close()


def test_a_store_that_is_away_for_a_while_is_waited_for_and_nothing_overtakes() -> None:
    uploads, done, tries = Uploads(), list[str](), iter([True, False])

    def away_once() -> None:
        if next(tries):
            raise Unreachable("the store is away")
        done.append("picture")

    uploads.beside("picture", away_once)
    uploads.add(lambda: done.append("checkpoint"))
    uploads.flush()
    assert done == ["picture", "checkpoint"]
    uploads.close()


@pytest.mark.parametrize("way", ["add", "beside"])
def test_what_fails_is_told_and_nothing_is_written_after_it(way: str) -> None:
    uploads, done = Uploads(), list[str]()

    def fail() -> None:
        raise ValueError("a fault")

    uploads.add(fail) if way == "add" else uploads.beside("x", fail)
    with pytest.raises(ValueError, match="a fault"):
        uploads.flush()
    with pytest.raises(ValueError, match="a fault"):
        uploads.add(lambda: done.append("later"))
    assert done == []
    uploads.close()
