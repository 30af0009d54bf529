"""Which job gets which graphics card, by what a made-up `nvidia-smi` says."""

from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from scheduler.errors import NotConfigured
from scheduler.settings import WorkerSettings
from tests.graphics import fake_cards
from worker.cards import Card, Cards, cards, memory_of_a_slot
from worker.devices import share
from worker.places import environment

GIBIBYTE = 1 << 30
TWO = [Card(number, f"GPU-{number}", "Made Up 9000", 24 * GIBIBYTE, 24 * GIBIBYTE) for number in range(2)]


@pytest.fixture(autouse=True)
def all_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def never() -> bool:
    return False


def test_nvidia_smi_says_which_cards_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cards(tmp_path, monkeypatch, TWO)
    assert cards() == TWO
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert cards() == TWO[1:]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-0")
    assert cards() == TWO[:1]


def test_no_card_and_no_driver_are_one_clear_error_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotConfigured, match=r"nvidia-smi does not answer .* or set TRIPTYCH_POOL=cpu"):
        cards()
    fake_cards(tmp_path, monkeypatch, TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(NotConfigured, match=r"no card for it \(CUDA_VISIBLE_DEVICES is '-1'\)"):
        cards()


def test_jobs_are_spread_over_the_cards_before_they_share_one() -> None:
    given = Cards(TWO, slots=2, look=lambda: TWO)
    taken = [given.take(never) for _ in range(4)]
    assert [card.index for card in taken if card] == [0, 1, 0, 1]
    assert taken[0]
    given.give_back(taken[0])
    again = given.take(never)
    assert again
    assert again.index == 0


def test_a_card_that_somebody_else_fills_is_passed_over() -> None:
    now = [replace(TWO[0], free=3 * GIBIBYTE), TWO[1]]
    given = Cards(TWO, slots=2, look=lambda: now)
    taken = [given.take(never) for _ in range(2)]
    assert [card.index for card in taken if card] == [1, 1]


def test_a_job_waits_for_a_card_and_stops_waiting_when_it_is_to_go() -> None:
    given = Cards(TWO[:1], slots=1, look=lambda: TWO[:1], seconds=0.01)
    first = given.take(never)
    assert first
    gone, taken = Event(), list[Card | None]()
    waiting = Thread(target=lambda: taken.append(given.take(gone.is_set)))
    waiting.start()
    gone.set()
    waiting.join(10)
    assert taken == [None]
    waiting = Thread(target=lambda: taken.append(given.take(never)))
    waiting.start()
    given.give_back(first)
    waiting.join(10)
    assert taken == [None, TWO[0]]


def test_nvidia_smi_that_fails_for_once_ends_nothing() -> None:
    answers = iter([NotConfigured("nvidia-smi does not answer"), TWO])

    def look() -> list[Card]:
        answer = next(answers)
        if isinstance(answer, NotConfigured):
            raise answer
        return answer

    assert Cards(TWO, slots=1, look=look, seconds=0.01).take(never) == TWO[0]


def test_a_runner_sees_its_card_alone_and_its_share_of_a_shared_one() -> None:
    alone, shared = environment(TWO[1], 1), environment(TWO[1], 3)
    assert alone["CUDA_VISIBLE_DEVICES"] == shared["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    assert "TRIPTYCH_GPU_MEMORY" not in alone
    assert int(shared["TRIPTYCH_GPU_MEMORY"]) == memory_of_a_slot(TWO[1], 3) >> 20
    assert 3 * int(shared["TRIPTYCH_GPU_MEMORY"]) < 24 * 1024


@pytest.mark.parametrize(
    ("settings", "cards", "slots", "threads"),
    [
        ({}, 0, 4, 2),
        ({"slots": 3}, 0, 3, 2),
        ({}, 2, 2, 4),
        ({"gpu_slots": 2}, 2, 4, 2),
        ({"slots": 1}, 2, 1, 8),
        ({"slots": 9}, 2, 2, 4),
    ],
)
def test_slots_are_those_of_the_cards_or_share_the_processors(
    settings: dict[str, int], cards: int, slots: int, threads: int
) -> None:
    shared = share(WorkerSettings(**settings), 8, cards)  # type: ignore[arg-type]
    assert (shared.count, shared.threads) == (slots, threads)
