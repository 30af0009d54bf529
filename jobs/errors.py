"""The errors a person can meet, as one tree under `TriptychError`."""

import re

from jobs.datasets.readable import encodable

#: Characters of the longest sentence. What quotes a name or a library may be of any length.
LONGEST = 2_000
_LINE_ENDS = re.compile(r"\s*[\r\n\x0b\x0c\x85\u2028\u2029]+\s*")


class TriptychError(Exception):
    """Base of every error that Triptych raises on purpose; its text is one sentence for a person."""

    def __str__(self) -> str:
        # A sentence may quote a file's name that is not UTF-8, and has to be stored and printed all the same;
        # or a library, whose words may go over several lines.
        said = _LINE_ENDS.sub(" ", encodable(super().__str__())).strip()
        return said if len(said) <= LONGEST else f"{said[: LONGEST // 2]} … {said[3 - LONGEST // 2 :]}"


class InvalidSpec(TriptychError):
    """A spec was refused: the text names the field, what was received and what is allowed."""


class BadInput(TriptychError):
    """A job cannot be done with what it was given; trying again would end the same way."""


class Diverged(TriptychError):
    """Training left the finite numbers."""


class Stopped(TriptychError):
    """A job ended at a step boundary because it was asked to; its newest checkpoint is saved."""
