"""The process of jobs: forked from a template, or `python -m worker.runner DESCRIPTOR [MODULE...]`.

It imports the modules named, and waits on its standard input for a line that says what to run. When that is
done it says so on the descriptor; then it ends, or, if its kind allows it and nothing is left of the job,
says that it can be used again, and waits for the next line. Other lines ask it to stop. The end of its input
means that its worker is gone: then it ends at once, since somebody else will run the job.
"""

import ctypes
import faulthandler
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn

from jobs import catalog
from jobs.errors import Stopped
from jobs.imports import import_large
from worker.closing import LostLease
from worker.context import WorkerContext
from worker.dividing import Divided, carry_out
from worker.failures import classify
from worker.inbox import Inbox
from worker.places import GPU_MEMORY
from worker.reuse import Reuse
from worker.runners import LOG, Assignment, Outcome

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
#: Seconds after which a thread lets another one run Python. With the usual 5 ms, training stands still for
#: 13 to 32 ms while a checkpoint is handed to the thread that uploads it; with this, for 5 to 10 ms.
SWITCH_SECONDS = 0.0005


def main() -> None:
    """Begins as a process of its own."""
    die_with_parent()
    serve(int(sys.argv[1]), sys.argv[2:])


def serve(saying: int, modules: Sequence[str] = ()) -> NoReturn:
    """Runs one job after the other, mostly one.

    Args:
        saying: the descriptor on which it answers.
        modules: what it imports ahead of any job.
    """
    os.set_inheritable(saying, False)
    faulthandler.enable()
    sys.setswitchinterval(SWITCH_SECONDS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever wants it to stop says so on its input
    _adopt_orphans()
    _be_the_first_to_go()
    inbox = Inbox()
    Thread(target=_listen, args=(inbox,), daemon=True).start()
    import_large(modules)
    for module in modules:
        with suppress(ImportError):  # the job itself says it better
            import_module(module)
    reuse = Reuse()
    while True:
        assignment, folder = inbox.next()
        _log_to(folder / LOG)
        kind = assignment.spec["kind"]
        reuse.begin(kind)
        context, outcome = _run(assignment, folder, inbox, reuse)
        _flush()
        _say(saying, asdict(outcome))
        if context is not None and not context.close():
            reuse.rule_out("its job has trained what is kept in the cache")
        spent = reuse.spent(kind, well=outcome.status in ("succeeded", "divided"))
        _flush()
        _say(saying, {"spent": spent})
        if spent:
            # TensorFlow's own tidying up takes long and has nothing left to save.
            os._exit(0)


def _run(
    assignment: Assignment, folder: Path, inbox: Inbox, reuse: Reuse
) -> tuple[WorkerContext | None, Outcome]:
    scratch = folder / "scratch"
    scratch.mkdir()
    os.chdir(scratch)
    context: WorkerContext | None = None
    try:
        context = WorkerContext(assignment, scratch, reuse.servers(), reuse.models)
        sys.stdout.write(
            f"attempt {assignment.attempt} of {assignment.spec['kind']} {context.servers.place}\n"
        )
        sys.stdout.flush()
        inbox.attend(assignment, context.ask_to_stop)
        return context, _work(assignment, context)
    except LostLease as lost:
        return context, Outcome("lost", message=str(lost))
    except BaseException as error:
        traceback.print_exc()
        cause, message = classify(error)
        return context, Outcome("failed", cause, message)
    finally:
        inbox.leave()


def _work(assignment: Assignment, context: WorkerContext) -> Outcome:
    if context.complete():
        context.drop_shards()
        return Outcome("succeeded")
    try:
        _share_card(assignment)
        result = carry_out(assignment, context)
    except BaseException as error:
        # What the job saved before it ended, however it ended, is kept for people and later attempts.
        context.flush()
        if isinstance(error, Stopped | Divided):
            return Outcome("stopped" if isinstance(error, Stopped) else "divided")
        raise
    return Outcome("succeeded", logged=context.finish(result), line=context.how_far())


def _log_to(path: Path) -> None:
    """Sends all output to a file, that of libraries which know nothing of Python as well."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)


def _flush() -> None:
    """Nothing of one job's output may be left for the next one's log."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    ctypes.CDLL(None).fflush(None)


def _say(descriptor: int, what: dict[str, Any]) -> None:
    line = json.dumps(what).encode() + b"\n"
    while line:
        line = line[os.write(descriptor, line) :]


def _listen(inbox: Inbox) -> None:
    for line in sys.stdin:
        inbox.hear(line)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _share_card(assignment: Assignment) -> None:
    """Bounds what TensorFlow takes of a card that is shared."""
    limit = os.environ.get(GPU_MEMORY)
    if limit and "tensorflow" in catalog.spec_type(assignment.spec["kind"]).imports:
        import tensorflow as tf

        for card in tf.config.list_physical_devices("GPU"):
            if tf.config.get_logical_device_configuration(card):
                continue  # by a job before, which has begun to use it
            share = tf.config.LogicalDeviceConfiguration(memory_limit=int(limit))
            tf.config.set_logical_device_configuration(card, [share])


def _be_the_first_to_go() -> None:
    # When the machine is out of memory, the system ends the job and not the worker or its neighbours.
    with suppress(OSError):  # no Linux
        Path("/proc/self/oom_score_adj").write_text("1000")


def die_with_parent() -> None:
    """Has the system end this process when the thread that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _adopt_orphans() -> None:
    # What a job starts stays below this process, however it detaches itself: so it is seen to be left. Not
    # for a template: what its runners leave would stay below it, and nobody would ask how it ended.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


if __name__ == "__main__":
    main()
