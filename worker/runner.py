"""The process of one job: `python -m worker.runner FOLDER [MODULE...]`.

It imports the modules named, waits on its standard input for one line that says what to run, runs it, writes
`outcome.json` into the folder and ends. Later lines ask it to stop. The end of its input means that its
worker is gone: then it ends at once, since somebody else will run the job.
"""

import ctypes
import faulthandler
import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from jobs import catalog
from jobs.context import StopReason
from jobs.errors import Stopped
from worker.context import LostLease, WorkerContext
from worker.failures import classify
from worker.places import GPU_MEMORY
from worker.runners import Assignment, Outcome

_PR_SET_PDEATHSIG = 1
#: Seconds after which a thread lets another one run Python. With the usual 5 ms, training stands still for
#: 13 to 32 ms while a checkpoint is handed to the thread that uploads it; with this, for 5 to 10 ms.
SWITCH_SECONDS = 0.0005


def main() -> None:
    """Runs one job."""
    folder = Path(sys.argv[1])
    faulthandler.enable()
    sys.setswitchinterval(SWITCH_SECONDS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever wants it to stop says so on its input
    _die_with_parent()
    _be_the_first_to_go()
    lines: SimpleQueue[str] = SimpleQueue()
    Thread(target=_listen, args=(lines,), daemon=True).start()
    for module in sys.argv[2:]:
        with suppress(ImportError):  # the job itself says it better
            import_module(module)
    assignment = Assignment(**json.loads(lines.get()))
    outcome = _run(assignment, folder, lines)
    partial = folder / "outcome.json.part"
    partial.write_text(json.dumps(asdict(outcome)))
    partial.rename(folder / "outcome.json")
    sys.stdout.flush()
    sys.stderr.flush()
    # TensorFlow's own tidying up takes long and has nothing left to save.
    os._exit(0)


def _run(assignment: Assignment, folder: Path, lines: "SimpleQueue[str]") -> Outcome:
    scratch = folder / "scratch"
    scratch.mkdir()
    os.chdir(scratch)
    try:
        context = WorkerContext(assignment, scratch)
        Thread(target=_pass_on_wishes, args=(lines, context), daemon=True).start()
        return _work(assignment, context)
    except LostLease as lost:
        return Outcome("lost", message=str(lost))
    except BaseException as error:
        traceback.print_exc()
        cause, message = classify(error)
        return Outcome("failed", cause, message)


def _work(assignment: Assignment, context: WorkerContext) -> Outcome:
    if context.complete():
        context.drop_shards()
        return Outcome("succeeded")
    try:
        _share_card(assignment)
        result = catalog.run(catalog.parse(assignment.spec), context)
    except Stopped:
        return Outcome("stopped")
    finally:
        # What the job saved before it ended, however it ended, is kept for people and later attempts.
        context.flush()
    context.finish(result)
    return Outcome("succeeded")


def _listen(lines: "SimpleQueue[str]") -> None:
    for line in sys.stdin:
        lines.put(line.strip())
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _pass_on_wishes(lines: "SimpleQueue[str]", context: WorkerContext) -> None:
    while True:
        context.ask_to_stop(StopReason(lines.get()))


def _share_card(assignment: Assignment) -> None:
    """Bounds what TensorFlow takes of a card that is shared."""
    limit = os.environ.get(GPU_MEMORY)
    if limit and "tensorflow" in catalog.spec_type(assignment.spec["kind"]).imports:
        import tensorflow as tf

        for card in tf.config.list_physical_devices("GPU"):
            share = tf.config.LogicalDeviceConfiguration(memory_limit=int(limit))
            tf.config.set_logical_device_configuration(card, [share])


def _be_the_first_to_go() -> None:
    # When the machine is out of memory, the system ends the job and not the worker or its neighbours.
    with suppress(OSError):  # no Linux
        Path("/proc/self/oom_score_adj").write_text("1000")


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
