"""What is said of a data set that a job takes as it is, with no upload that would report it."""

import logging
from collections.abc import Iterable

from jobs.datasets.readable import one_line

log = logging.getLogger(__name__)


def tell(name: str, notes: Iterable[str]) -> None:
    """Logs what was found out, left out or changed when a data set was taken in.

    Args:
        name: what a person calls it: a name, or a folder.
        notes: a sentence each.
    """
    for note in notes:
        log.warning("%s: %s", one_line(name), one_line(note))
