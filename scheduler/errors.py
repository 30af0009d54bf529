"""Errors of asking for work, under the one tree of `jobs.errors`."""

from jobs.errors import TriptychError as TriptychError


class NotConfigured(TriptychError):
    """It is not known, or not rightly, where the servers are; the text says which variable to set."""


class Unreachable(TriptychError):
    """A server does not answer; the text says which one and at what address."""


class StoreRefused(TriptychError):
    """The S3 server answered with an error; the text has its code and message."""


class UnknownJob(TriptychError):
    """There is no job of that id."""


class UnknownWorker(TriptychError):
    """No live worker has that name; the text has the names there are."""


class UnknownDataSet(TriptychError):
    """There is no data set of that name."""


class UnknownArtifact(TriptychError):
    """The store has no such object."""


class NotFinished(TriptychError):
    """The job has no result yet."""


class JobFailed(TriptychError):
    """The job ended without a result; the text has its id, the cause, the message and the key of its log."""


class StackError(TriptychError):
    """The embedded stack could not do what was asked; the text says what to do."""
