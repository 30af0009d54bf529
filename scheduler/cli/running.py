"""A job that runs in this process, with its progress on stderr."""

import os
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text

from jobs.context import Progress
from jobs.local import LocalContext, run_locally
from jobs.spec import JobSpec, ResultT


def run_showing(spec: JobSpec[ResultT], folder: Path, data: Mapping[str, Path]) -> ResultT:
    """Runs a spec in a folder; in a terminal, one line tells how far it is."""
    # Two dozen lines of TensorFlow about this machine would drown the one that counts; errors still come.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    console = Console(stderr=True, highlight=False)
    with console.status(Text(f"{spec.kind} starting")) as line:

        class Shown(LocalContext):
            def report(self, progress: Progress) -> None:
                super().report(progress)
                line.update(Text(f"{spec.kind} {progress.line()}"))

        return run_locally(spec, folder, data, Shown)
