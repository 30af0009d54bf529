"""The errors a person can meet, as one tree under `TriptychError`."""


class TriptychError(Exception):
    """Base of every error that Triptych raises on purpose; its text is one sentence for a person."""


class InvalidSpec(TriptychError):
    """A spec was refused: the text names the field, what was received and what is allowed."""


class BadInput(TriptychError):
    """A job cannot be done with what it was given; trying again would end the same way."""


class Diverged(TriptychError):
    """Training left the finite numbers."""


class Stopped(TriptychError):
    """A job ended at a step boundary because it was asked to; its newest checkpoint is saved."""
