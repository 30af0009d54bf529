"""A job that runs in this process, with its progress on stderr."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.text import Text

from jobs.context import Progress
from jobs.local import LocalContext, run_locally
from jobs.spec import JobSpec, ResultT
from scheduler.cli.output import console_on
from scheduler.greetings import kept_from_stderr


def run_showing(spec: JobSpec[ResultT], folder: Path, data: Mapping[str, Path]) -> ResultT:
    """Runs a spec in a folder; in a terminal, one line tells how far it is."""
    # Two dozen lines of TensorFlow about this machine would drown the one that counts; warnings still come.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    with (
        kept_from_stderr() as descriptor,
        open(descriptor, "w", closefd=False, encoding=sys.stderr.encoding or "utf-8") as screen,
        console_on(screen).status(Text(f"{spec.kind} starting")) as line,
    ):

        class Shown(LocalContext):
            def report(self, progress: Progress) -> None:
                super().report(progress)
                line.update(Text(f"{spec.kind} {progress.line()}"))

        return run_locally(spec, folder, data, Shown)
