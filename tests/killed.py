"""An attempt at a job that only reads a model, in a folder and in small windows, which may kill itself."""

import json
import os
import signal
from importlib import import_module
from pathlib import Path

from jobs import catalog
from jobs.checkpoints.file import Checkpoint
from jobs.context import Progress
from jobs.local import LocalContext, run_locally
from jobs.verification.kills import DIARY, Assignment
from tests.small_windows import SMALL


class Killed(LocalContext):
    """Kills its process at the first report of a step, perhaps with half of the newest checkpoint."""

    step: int | None = None
    tears = False

    def load_checkpoint(self) -> Checkpoint | None:
        """Writes down what it finds."""
        found = super().load_checkpoint()
        with (self._job / DIARY).open("a") as file:
            file.write(json.dumps({"resumed_from": found.step if found else 0}) + "\n")
        return found

    def report(self, progress: Progress) -> None:
        """Looks whether it is time."""
        super().report(progress)
        if self.step is None or progress.step < self.step:
            return
        if self._saving:
            self._saving.result()  # whether there is a checkpoint to go on from is no matter of chance
        if self.tears and (names := self._checkpoints.names()):
            path = self._job / "checkpoints" / str(names[-1])
            os.truncate(path, path.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)


def attempt(assignment: Assignment) -> None:
    """Runs it, as the assignment says: `step` is where it is killed, `tears` whether a checkpoint is torn."""
    for module, name, value in SMALL:
        setattr(import_module(module), name, value)
    plan = assignment.kill or {}

    class Planned(Killed):
        step = plan.get("step")
        tears = plan.get("tears", False)

    data = {name: Path(path) for name, path in assignment.data.items()}
    run_locally(catalog.parse(assignment.spec), Path(assignment.folder), data, Planned)
