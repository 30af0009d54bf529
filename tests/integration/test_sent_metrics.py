"""What attempts send of their metrics, on a real store: every line, and each a few times at the most."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler.artifacts import ArtifactStore
from scheduler.errors import Unreachable
from scheduler.keys import JobKeys
from scheduler.metrics import StoredMetrics
from scheduler.settings import StoreSettings
from worker import metrics
from worker.metrics import SentMetrics


class Counting(ArtifactStore):
    """A store that counts what is sent to it, and does something before a call that it is told."""

    def __init__(self, settings: StoreSettings) -> None:
        super().__init__(settings)
        self.bytes_sent = 0
        self.before: Callable[[str, str], None] = lambda call, key: None

    def put(self, key: str, content: bytes, content_type: str = "") -> None:
        self.before("put", key)
        super().put(key, content, content_type)
        self.bytes_sent += len(content)

    def put_file(self, key: str, path: Path, content_type: str = "") -> None:
        super().put_file(key, path, content_type)
        self.bytes_sent += path.stat().st_size

    def delete(self, key: str) -> None:
        self.before("delete", key)
        super().delete(key)


@pytest.fixture
def store(store_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch) -> Counting:
    monkeypatch.setattr(metrics, "_MERGED", 3)
    return Counting(store_settings)


@pytest.fixture
def keys(store: Counting, request: pytest.FixtureRequest) -> JobKeys:
    keys = JobKeys(f"sent-{abs(hash(request.node.name))}")
    for item in list(store.under(keys.folder)):
        store.delete(item.key)
    return keys


def line(step: int) -> str:
    return f'{{"step": {step}, "loss": 0.5}}\n'


def lines(*steps: int) -> bytes:
    return "".join(line(step) for step in steps).encode()


def attempt(store: Counting, keys: JobKeys, number: int, folder: Path) -> SentMetrics:
    return SentMetrics(store, keys, number, folder / f"{keys.job_id}-{number}.jsonl")


def names(store: Counting, keys: JobKeys) -> list[str]:
    return [item.key.removeprefix(keys.all_metrics) for item in store.under(keys.all_metrics)]


def test_each_upload_sends_what_is_new_and_the_end_leaves_one_file(
    store: Counting, keys: JobKeys, tmp_path: Path
) -> None:
    sent = attempt(store, keys, 1, tmp_path)
    stored = StoredMetrics(store, keys)
    assert stored.read() == b""
    for step in range(30):
        sent.add(line(step))
        sent.send()
        assert stored.read() == lines(*range(step + 1))
        assert len(names(store, keys)) <= 2 + 2 + 3
    sent.send()  # nothing is new
    sent.finish()
    assert names(store, keys) == ["0001.jsonl"]
    assert store.get(keys.metrics(1)) == stored.read() == stored.read(1) == lines(*range(30))
    assert store.bytes_sent <= 4 * len(lines(*range(30)))


def test_half_a_line_is_not_sent_before_it_is_whole(store: Counting, keys: JobKeys, tmp_path: Path) -> None:
    sent = attempt(store, keys, 1, tmp_path)
    sent.add(line(1) + line(2)[:7])
    sent.send()
    assert StoredMetrics(store, keys).read() == lines(1)
    sent.add(line(2)[7:])
    sent.send()
    assert StoredMetrics(store, keys).read() == lines(1, 2)


def test_a_later_attempt_sends_no_line_again_and_a_late_write_of_the_one_before_changes_nothing(
    store: Counting, keys: JobKeys, tmp_path: Path
) -> None:
    first = attempt(store, keys, 1, tmp_path)
    for step in range(1, 21):
        first.add(line(step))
        first.send()
    before = store.bytes_sent
    second = attempt(store, keys, 2, tmp_path)
    second.go_on_from(1, step=18)
    for step in (19, 20, 21):
        second.add(line(step).replace("0.5", "0.7"))
    second.send()
    assert store.bytes_sent - before == len(lines(19, 20, 21))
    expected = lines(*range(1, 19)) + lines(19, 20, 21).replace(b"0.5", b"0.7")
    assert StoredMetrics(store, keys).read() == expected
    # The one before wakes up: it goes on, merges, and even puts its whole file in place.
    for step in range(21, 30):
        first.add(line(step))
        first.send()
        assert StoredMetrics(store, keys).read() == expected
    first.finish()
    assert StoredMetrics(store, keys).read() == StoredMetrics(store, keys).read(2) == expected
    third = attempt(store, keys, 3, tmp_path)
    third.go_on_from(2, step=20)
    third.finish()
    assert store.get(keys.metrics(3)) == expected[: -len(line(21))]


def test_an_attempt_goes_on_from_a_file_that_the_version_before_has_left(
    store: Counting, keys: JobKeys, tmp_path: Path
) -> None:
    store.put(keys.metrics(1), lines(1, 2, 3))
    assert StoredMetrics(store, keys).read() == lines(1, 2, 3)
    second = attempt(store, keys, 2, tmp_path)
    second.go_on_from(1, step=2)
    second.add(line(9))
    second.send()
    assert StoredMetrics(store, keys).read() == lines(1, 2, 9)
    second.finish()
    assert store.get(keys.metrics(2)) == lines(1, 2, 9)


def test_lines_out_of_order_are_sent_anew_rather_than_lost(
    store: Counting, keys: JobKeys, tmp_path: Path
) -> None:
    store.put(keys.metrics(1), lines(1, 5, 2))
    second = attempt(store, keys, 2, tmp_path)
    second.go_on_from(1, step=2)
    second.send()
    assert StoredMetrics(store, keys).read() == lines(1, 2)


def test_whoever_reads_between_any_two_writes_finds_every_line_that_was_sent(
    store: Counting, keys: JobKeys, tmp_path: Path
) -> None:
    sent = attempt(store, keys, 1, tmp_path)
    looks = {"put": 0, "delete": 0}

    def look(call: str, key: str) -> None:
        looks[call] += 1
        assert StoredMetrics(store, keys).read() in (lines(*range(done)), lines(*range(done + 1)))

    store.before = look
    for done in range(20):
        sent.add(line(done))
        sent.send()
    sent.finish()
    assert looks["put"] > 20
    assert looks["delete"] > 20


def test_a_listing_from_before_a_merge_is_made_anew(store: Counting, keys: JobKeys, tmp_path: Path) -> None:
    sent = attempt(store, keys, 1, tmp_path)
    for step in range(2):
        sent.add(line(step))
        sent.send()
    stored = StoredMetrics(store, keys)
    listing, early = stored._pieces, stored._pieces()
    sent.add(line(2))
    sent.send()  # merges the three
    turns = iter([lambda: early, listing])
    stored._pieces = lambda: next(turns)()  # type: ignore[method-assign]
    assert stored.read() == lines(0, 1, 2)


def test_a_store_that_is_away_between_any_two_writes_costs_no_line(
    store: Counting, keys: JobKeys, tmp_path: Path
) -> None:
    sent = attempt(store, keys, 1, tmp_path)
    calls: dict[Any, int] = {}

    def away_at_first(call: str, key: str) -> None:
        calls[call, key] = calls.get((call, key), 0) + 1
        if calls[call, key] == 1:
            raise Unreachable("away")

    store.before = away_at_first
    for step in range(12):
        sent.add(line(step))
        for _ in range(20):
            try:
                sent.send()
                break
            except Unreachable:
                continue
        assert StoredMetrics(store, keys).read() == lines(*range(step + 1))
