"""How a command ends: its exit code, and the one line on stderr that says why."""

import errno
import os
import sys

import typer

from scheduler.cli.output import failed
from scheduler.errors import Refused, TriptychError, Unreachable

#: An error; or a watched job that failed or was cancelled.
FAILED = 1
#: A server does not answer or refuses: of the job nothing is known, and trying again later may help.
NOT_REACHABLE = 3
#: What a shell reports for a program that Ctrl-C ended.
INTERRUPTED = 130
#: What a shell reports for a program whose reader went away, as in `triptych jobs | head -1`.
READER_GONE = 141


def ended_by(error: Exception) -> typer.Exit | None:
    """Says what an expected error is, and how the command ends; None for one that is a bug."""
    if isinstance(error, TriptychError):
        failed(str(error))
        return typer.Exit(code_of(error))
    if isinstance(error, OSError):
        return _ended_by_system(error)
    if type(error).__module__.startswith("redis."):
        # Not from our own client, which has words of ours.
        failed(f"Redis no longer answers ({type(error).__name__}): {error}")
        return typer.Exit(NOT_REACHABLE)
    return None


def code_of(error: TriptychError) -> int:
    """The exit code of an error that a command ends with."""
    return NOT_REACHABLE if isinstance(error, Unreachable | Refused) else FAILED


def _ended_by_system(error: OSError) -> typer.Exit | None:
    if error.errno == errno.EPIPE:
        # Nobody reads any more, the last words at the end of Python included.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return typer.Exit(READER_GONE)
    if error.filename is None and error.strerror is None:
        return None
    failed(f"{error.filename or 'the output or the disk'}: {error.strerror}")
    return typer.Exit(FAILED)
