"""Errors of asking for work, under the one tree of `jobs.errors`."""

from jobs.errors import TriptychError as TriptychError


class NotConfigured(TriptychError):
    """It is not known, or not rightly, where the servers are; the text says which variable to set."""


class NotInstalled(TriptychError):
    """What was asked needs a package that is not installed here; the text says which extra brings it."""


class Unreachable(TriptychError):
    """A server does not answer; the text says which one and at what address."""


class AccessRefused(Unreachable):
    """A server refuses the password or the keys, or its certificate is not trusted: waiting does not help."""


class Refused(TriptychError):
    """A server answered that it does not do what was asked; the text has its reason."""


class NearlyFull(Refused):
    """Redis has so little memory left that no new job is accepted; the text says what to do."""


class StoreRefused(Refused):
    """The S3 server answered with an error; the text has its code and message."""


class DamagedArtifact(TriptychError):
    """What the store has under a key cannot be read as what it must be."""


#: What taking in the content of a stored file ends with where that is damaged.
DAMAGES = (DamagedArtifact, LookupError, TypeError, ValueError, AttributeError)


class TimedOut(TriptychError, TimeoutError):
    """The job has not ended within the timeout of the call; it goes on."""


class Unanswered(Unreachable, TimedOut):
    """The timeout of the call is over, and a server was away at its end."""


class UnknownJob(TriptychError):
    """There is no job of that id."""


class Vanishing(TriptychError):
    """What was asked for is being deleted; the text says what."""


class StillNeeded(TriptychError):
    """What was to be deleted is in use; the text says by whom."""


class UnknownModel(UnknownJob):
    """No model has that name."""


class UnknownSweep(TriptychError):
    """There is no sweep of that id."""


class UnknownWorker(TriptychError):
    """No live worker has that name; the text has the names there are."""


class UnknownDataSet(TriptychError):
    """There is no data set of that name."""


class UnknownSchedule(TriptychError):
    """There is no schedule of that name; the text has the names there are."""


class TickTaken(TriptychError):
    """The tick of a schedule was dealt with, or the schedule was paused or removed meanwhile."""


class UnknownArtifact(TriptychError):
    """The store has no such object."""


class NotFinished(TriptychError):
    """The job has no result yet."""


class JobFailed(TriptychError):
    """The job ended without a result; the text has its id, the cause, the message and the key of its log."""


class StackError(TriptychError):
    """The embedded stack could not do what was asked; the text says what to do."""
