"""Tries changed inputs, one after the other, and counts how they end."""

import random
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from jobs.errors import TriptychError
from tests.mutations.readers import Input, inputs

#: Seconds after which an input counts as one that hangs; the machine may be busy.
PATIENCE = 60


class Hung(Exception):
    """It took too long."""


@dataclass
class Tally:
    """How changed inputs ended.

    Attributes:
        ends: how many, by reader and end: `result`, `refused`, or `fault`.
        faults: what to mend, a paragraph each.
    """

    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        readers = sorted({reader for reader, _ in self.ends})
        ends = ("result", "refused", "fault")
        lines = [f"{'':30}" + "".join(f"{end:>9}" for end in ends)]
        lines += [
            f"{reader:30}" + "".join(f"{self.ends[reader, end]:9}" for end in ends) for reader in readers
        ]
        sums = [sum(self.ends[reader, end] for reader in readers) for end in ends]
        return "\n".join([*lines, f"{f'{sum(sums)} in all':30}" + "".join(f"{each:9}" for each in sums)])


def tried(count: int, seed: int, seconds: float = float("inf")) -> Tally:
    """Tries so many changed inputs, or as many as there is time for.

    Args:
        count: how many.
        seed: draws them; each follows from it and its own number.
        seconds: none is begun after so many.
    """
    tally, every = Tally(), inputs()
    began = time.monotonic()
    for number in range(count):
        if time.monotonic() - began > seconds:
            break
        draws = random.Random(f"{seed}/{number}")
        (chosen,) = draws.choices(every, [each.weight for each in every])
        change = draws.choice(chosen.changes)
        with TemporaryDirectory(prefix="mutation-") as folder:
            path = chosen.write(Path(folder))
            path.write_bytes(change(draws, path.read_bytes()))
            end, why = _ended(chosen, path)
        tally.ends[chosen.reader, end] += 1
        if end == "fault":
            tally.faults.append(f"{number} of seed {seed}: {chosen.reader}, {change.__name__}: {why}")
    return tally


def _ended(chosen: Input, path: Path) -> tuple[str, str]:
    try:
        with _bounded():
            chosen.read(path)
    except TriptychError as error:
        said = str(error)
        if "\n" in said or len(said) > 2_000:
            return "fault", f"no one sentence: {said[:500]!r}"
        if not any(name in said for name in chosen.named(path)):
            return "fault", f"it does not say where: {said!r}"
        if "s3cr3t" in said:
            return "fault", f"a password is shown: {said!r}"
        said.encode()
        return "refused", ""
    except Exception:  # whatever it is, it is what is looked for
        return "fault", traceback.format_exc(limit=-6)
    return "result", ""


@contextmanager
def _bounded() -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise Hung(f"it took more than {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
