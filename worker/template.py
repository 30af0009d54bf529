"""The process from which runners are forked: `python -m worker.template SOCKET [MODULE...]`.

It imports what they need and uses none of it. A runner is then there in some 30 ms, and shares the memory of
what was imported. The end of the socket means that the worker is gone: then it ends at once.
"""

import gc
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from jobs.imports import import_large
from worker import runner
from worker.leftovers import draw_anew
from worker.starts import FORK, LONGEST, STATUS, UNFIT


def main() -> None:
    """Answers one question after the other."""
    with socket.socket(fileno=int(sys.argv[1])) as worker:
        os.set_inheritable(worker.fileno(), False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        runner.die_with_parent()
        import_large(sys.argv[2:])
        for module in sys.argv[2:]:
            with suppress(Exception):  # the job itself says it better
                import_module(module)
        gc.collect()
        gc.freeze()  # the collector of a runner must not write to all pages, which would copy them
        while True:
            question, descriptors, _, _ = socket.recv_fds(worker, LONGEST, 3)
            if not question:
                os._exit(0)  # TensorFlow's own tidying up takes long
            _answer(worker, question, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)


def _answer(worker: socket.socket, question: bytes, descriptors: list[int]) -> None:
    word, _, about = question.partition(b" ")
    if word == STATUS:
        worker.send(str(_status(int(about))).encode())
    elif word != FORK or not _is_fit():
        worker.send(UNFIT)
    else:
        parent = os.getpid()
        try:
            child = os.fork()
        except OSError as error:
            worker.send(str(-(error.errno or 1)).encode())
            return
        if child == 0:
            _become_runner(worker, descriptors, parent)


def _status(child: int) -> int:
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except ChildProcessError:
        return -signal.SIGKILL


def _is_fit() -> bool:
    """Whether a copy of this process can work: TensorFlow's threads, once begun, would be missing in it."""
    context = sys.modules.get("tensorflow.python.eager.context")
    return context is None or context._context is None


def _become_runner(worker: socket.socket, descriptors: list[int], parent: int) -> NoReturn:
    try:
        # A group of its own: it ends with its children. Before the worker knows of it, who ends it by that.
        os.setsid()
        hearing, output, saying = descriptors
        for number, descriptor in enumerate((hearing, output, output)):
            os.dup2(descriptor, number)
        os.close(hearing)
        os.close(output)
        runner.die_with_parent()
        if os.getppid() != parent:  # it has ended before this one could notice
            os._exit(1)
        draw_anew()
        worker.send(str(os.getpid()).encode())
        worker.close()
        runner.serve(saying)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
