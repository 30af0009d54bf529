"""Graphics cards: which there are, how much of their memory is free, and which job has which.

What `nvidia-smi` says is the truth: a card may be used by somebody else, whose memory is gone all the same.
"""

import logging
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition

from scheduler.errors import NotConfigured

logger = logging.getLogger(__name__)

_QUERY = (
    "nvidia-smi",
    "--query-gpu=index,uuid,name,memory.total,memory.free",
    "--format=csv,noheader,nounits",
)
_MEBIBYTE = 1 << 20
#: Of a card's memory, what its slots share. The rest is for the driver and for a screen.
_SHARE = 0.9
#: Seconds between two looks at cards of which none has enough free memory.
_LOOK_SECONDS = 5.0


@dataclass(frozen=True)
class Card:
    """A graphics card as it is now."""

    index: int
    uuid: str
    name: str
    total: int  #: bytes
    free: int  #: bytes


def cards() -> list[Card]:
    """The cards that this process may use, by `CUDA_VISIBLE_DEVICES` where that is set.

    Raises:
        NotConfigured: there is none, or `nvidia-smi` does not answer.
    """
    try:
        answer = subprocess.run(_QUERY, capture_output=True, text=True, check=True, timeout=30)
        found = [_card(line) for line in answer.stdout.splitlines() if line.strip()]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise NotConfigured(
            f"this worker serves the pool gpu, and nvidia-smi does not answer ({error}): install NVIDIA's "
            "driver (in a container: its container toolkit), or set TRIPTYCH_POOL=cpu"
        ) from None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = {name.strip() for name in visible.split(",")}
        found = [card for card in found if str(card.index) in names or card.uuid in names]
    if not found:
        raise NotConfigured(
            "this worker serves the pool gpu, and there is no card for it (CUDA_VISIBLE_DEVICES is "
            f"{visible!r}): set TRIPTYCH_POOL=cpu where there is none"
        )
    return found


def _card(line: str) -> Card:
    index, uuid, name, total, free = (part.strip() for part in line.split(","))
    return Card(int(index), uuid, name, int(total) * _MEBIBYTE, int(free) * _MEBIBYTE)


def memory_of_a_slot(card: Card, slots: int) -> int:
    """Bytes of a card that one of its slots may use."""
    return int(card.total * _SHARE / slots)


class Cards:
    """Gives out the slots of all cards: first those of the card that is used least, if its memory is free."""

    def __init__(
        self,
        found: Sequence[Card],
        slots: int,
        look: Callable[[], list[Card]] = cards,
        seconds: float = _LOOK_SECONDS,
    ) -> None:
        """Takes what it works with.

        Args:
            found: the cards that are given out.
            slots: of each card.
            look: how the cards are now.
            seconds: between two looks while there is no slot.
        """
        self._jobs = {card.uuid: 0 for card in found}
        self._slots = slots
        self._look = look
        self._seconds = seconds
        self._changed = Condition()

    def take(self, gives_up: Callable[[], bool]) -> Card | None:
        """A card with a free slot and the memory for it, which is waited for; None if the caller gives up."""
        told = False
        with self._changed:
            while not gives_up():
                if (card := self._best()) is not None:
                    self._jobs[card.uuid] += 1
                    return card
                if not told:
                    logger.warning("no card has a free slot with enough free memory: waits for one")
                    told = True
                self._changed.wait(self._seconds)
        return None

    def give_back(self, card: Card) -> None:
        """Lets others have the slot."""
        with self._changed:
            self._jobs[card.uuid] -= 1
            self._changed.notify()

    def _best(self) -> Card | None:
        try:
            now = self._look()
        except NotConfigured as error:  # it does not answer this time
            logger.warning("%s", error)
            return None
        usable = [
            card
            for card in now
            if self._jobs.get(card.uuid, self._slots) < self._slots
            and card.free >= memory_of_a_slot(card, self._slots)
        ]
        return min(usable, key=lambda card: (self._jobs[card.uuid], -card.free), default=None)
