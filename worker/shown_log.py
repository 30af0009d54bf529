"""The log of a job, as people read it."""

from pathlib import Path

from scheduler.greetings import is_greeting


def shown(log: Path, card: bool) -> Path:
    """A copy of all that a job has printed, beside it: without TensorFlow's greetings.

    Args:
        log: all that it has printed.
        card: whether it uses a graphics card.
    """
    copy = log.with_name("shown.log")
    with log.open("rb") as whole, copy.open("wb") as file:
        file.writelines(line for line in whole if not is_greeting(line, card))
    return copy
