"""One attempt at a job in a folder, which may kill itself on its way.

Started as `python -m jobs.verification.victim ASSIGNMENT`.

`jobs.verification.verify` starts these processes and compares what they leave.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any

from jobs import catalog
from jobs.checkpoints.file import Checkpoint
from jobs.context import Progress
from jobs.errors import TriptychError
from jobs.local import LocalContext, run_locally
from jobs.verification.kills import DIARY, Assignment, Kill, Moment


class Victim(LocalContext):
    """A folder's context that writes its diary, saves seldom, and kills its process when it is time."""

    kill: Kill | None = None
    _armed = False
    _offers = 0
    _reported: float | None = None

    def load_checkpoint(self) -> Checkpoint | None:
        """Writes down what it finds."""
        found = super().load_checkpoint()
        self._write_down(resumed_from=0 if found is None else found.step)
        return found

    def checkpoint_in_flight(self) -> bool:
        """Leaves two of three out, so that kills land between checkpoints and steps are done again."""
        self._offers += 1
        return self._offers % 3 != 1 or super().checkpoint_in_flight()

    def report(self, progress: Progress) -> None:
        """Looks whether it is time."""
        super().report(progress)
        now, before = time.monotonic(), self._reported
        self._reported, self._step = now, progress.step
        if self.kill is None or self._armed or progress.step < self.kill.step:
            return
        if not self._checkpoints.names() and progress.step < progress.total:
            return  # what has nothing to go on from begins anew, which proves little
        self._armed = True
        if self.kill.moment is Moment.BOUNDARY:
            self._die()
        if self.kill.moment is Moment.INSIDE:
            # The chunk to come takes as long as the last one, about; of the first, the time was compiling.
            seconds = now - before if before else 0.005
            timer = Timer(self.kill.share * seconds, self._die)
            timer.daemon = True
            timer.start()

    def _keep(self, new: Checkpoint) -> None:
        super()._keep(new)
        if self._armed and self.kill and self.kill.moment is Moment.SAVING:
            # A kill leaves half a file under another name; this is worse, and what a lost machine can leave.
            path = self._job / "checkpoints" / str(self._checkpoints.names()[-1])
            os.truncate(path, int(path.stat().st_size * self.kill.share))
            self._die()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._armed and kind is None:
            self._die()  # it was faster than the kill; its result is not written yet

    def _die(self) -> None:
        assert self.kill is not None  # noqa: S101 - nobody else arms it
        self._write_down(killed_at=self._step, moment=self.kill.moment)
        os.kill(os.getpid(), signal.SIGKILL)

    def _write_down(self, **line: Any) -> None:
        with (self._job / DIARY).open("a") as file:
            file.write(json.dumps(line) + "\n")


def main() -> None:
    """Runs the attempt that the argument says."""
    attempt(Assignment(**json.loads(sys.argv[1])))


def attempt(assignment: Assignment) -> None:
    """Runs an attempt. An expected error ends the process, and is the last line on stderr."""
    spec = catalog.parse(assignment.spec)
    plan = assignment.kill

    class Planned(Victim):
        kill = Kill(plan["step"], Moment(plan["moment"]), plan["share"]) if plan else None

    _report_every_chunk(spec.kind)
    data = {name: Path(path) for name, path in assignment.data.items()}
    try:
        run_locally(spec, Path(assignment.folder), data, Planned)
    except TriptychError as error:
        sys.exit(str(error))


def _report_every_chunk(kind: str) -> None:
    """A kill can be no finer than the reports, which the training loop thins out for people."""
    catalog.action(kind)
    if "jobs.training.callbacks" in sys.modules:
        from jobs.training import callbacks

        callbacks.REPORT_SECONDS = callbacks.LONGEST_SILENCE = 0.0


if __name__ == "__main__":
    main()
