"""`triptych`: the command line. One file per group of commands.

Nothing is imported here that takes time: Ctrl-C may come while the commands are imported.
"""

import gc
import os
import signal
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

#: Objects after whose making the collector of garbage looks, in place of 700: what a command imports stays.
_OBJECTS = 50_000


def main() -> None:
    """The entry point."""
    gc.set_threshold(_OBJECTS)
    # Where a shell starts it in the background, Ctrl-C is ignored, and stays so.
    if interruptible := signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end_at_once)
    from scheduler.cli.commands import app

    # Both are None where the shell has closed them.
    sys.stdout, sys.stderr = (_for_any_text(stream) for stream in (sys.stdout, sys.stderr))
    try:
        if interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        app()
    except KeyboardInterrupt:  # before or after a command, which ends by itself
        _end_at_once()
    finally:
        gc.freeze()  # a process that ends need not look through all that it has imported: a tenth of a second


def _end_at_once(*_: object) -> None:
    """Ends by Ctrl-C with no word: an exception within an import would be a traceback, or be lost in it."""
    os._exit(128 + signal.SIGINT)


def _for_any_text(stream: TextIO | None) -> TextIO:
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
        # What the encoding lacks is shown by its number, rather than ending the command.
        stream.reconfigure(errors="backslashreplace")
    return stream
