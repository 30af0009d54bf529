"""Where a worker's jobs run: on its processors, or each on a slot of a graphics card."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from scheduler.settings import WorkerSettings, load
from worker.cards import Card, Cards, memory_of_a_slot
from worker.memory import budget
from worker.runner_pool import RunnerPool

#: Of a runner: MiB of its card that TensorFlow may use.
GPU_MEMORY = "TRIPTYCH_GPU_MEMORY"
#: Of a runner: bytes of its card that are its job's, of a card of its own, too.
CARD_MEMORY = "TRIPTYCH_CARD_MEMORY"


class Places(Protocol):
    """What gives a job its place."""

    def place(self, gives_up: Callable[[], bool]) -> AbstractContextManager[RunnerPool | None]:
        """The runners of a place that is free, for as long as the job runs; None if the caller gives up."""

    def stock(self) -> None:
        """Starts the spare runners."""

    def close(self) -> None:
        """Ends the spare runners."""


class OnProcessors:
    """All jobs share the processors; the queue takes no more of them than there are slots."""

    def __init__(self, runners: RunnerPool) -> None:
        self._runners = runners

    @contextmanager
    def place(self, gives_up: Callable[[], bool]) -> Iterator[RunnerPool | None]:
        """See `Places.place`."""
        yield self._runners

    def stock(self) -> None:
        """See `Places.stock`."""
        self._runners.stock()

    def close(self) -> None:
        """See `Places.close`."""
        self._runners.close()


class OnCards:
    """Each job sees one card, chosen before its process starts."""

    def __init__(
        self,
        found: Sequence[Card],
        slots: int,
        cards: Cards,
        runners: Callable[[Mapping[str, str]], RunnerPool],
    ) -> None:
        """Takes what it works with.

        Args:
            found: the cards.
            slots: of each card.
            cards: gives them out.
            runners: makes the runners of a card, from what their environment must have besides.
        """
        self._cards = cards
        self._runners = {card.uuid: runners(environment(card, slots)) for card in found}

    @contextmanager
    def place(self, gives_up: Callable[[], bool]) -> Iterator[RunnerPool | None]:
        """See `Places.place`."""
        card = self._cards.take(gives_up)
        try:
            yield None if card is None else self._runners[card.uuid]
        finally:
            if card is not None:
                self._cards.give_back(card)

    def stock(self) -> None:
        """See `Places.stock`."""
        for runners in self._runners.values():
            runners.stock()

    def close(self) -> None:
        """See `Places.close`."""
        for runners in self._runners.values():
            runners.close()


def environment(card: Card, slots: int) -> dict[str, str]:
    """What a runner on a card must find in its environment before it imports TensorFlow."""
    shown = {
        "CUDA_VISIBLE_DEVICES": card.uuid,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        CARD_MEMORY: str(memory_of_a_slot(card, slots)),
    }
    # A card of its own needs no limit. On a shared one TensorFlow would take all that is free.
    limit = {GPU_MEMORY: str(memory_of_a_slot(card, slots) >> 20)} if slots > 1 else {}
    return shown | limit


def memory_of_the_job() -> int:
    """In a runner: bytes that its job may hold. What lies on a card was in the machine's memory before."""
    return min(budget(load(WorkerSettings), slots=1), int(os.environ.get(CARD_MEMORY, sys.maxsize)))
