"""What a job leaves behind in its process: put back where it can be, and found where it cannot."""

import decimal
import fcntl
import gc
import locale
import logging
import os
import random
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Set
from pathlib import Path
from typing import Any

from worker.names import Marks, Names, changed

_SIGNALS = tuple(number for number in signal.Signals if number not in (signal.SIGKILL, signal.SIGSTOP))
_DESCRIPTORS = Path("/proc/self/fd")
#: Standard input and output, which lead elsewhere for every job.
_STANDARD = 3


class Leftovers:
    """Taken before the first job: `undo` makes the process what it was, or says why that cannot be.

    Python has no way to see everything that code has done to its process. So this is the second line: the
    first is that only kinds that say so share a process, and only after a success; and a job that fails in a
    process that others have used is tried again in one of its own.
    """

    def __init__(self) -> None:
        self._environment = dict(os.environ)
        self._folder = Path.cwd()
        self._umask = _umask()
        self._path = list(sys.path)
        self._warnings = list(warnings.filters)
        self._threads = set(threading.enumerate())
        self._descriptors = _descriptors()
        self._settings = _settings()
        self._loggers = _loggers()
        self._own = {"jobs"}
        self._names = Names(self._own)

    def watch(self, package: str) -> None:
        """Looks at the names in a package's modules, too, from now on."""
        if package not in self._own:
            self._own.add(package)
            self._names = Names(self._own)

    def undo(self, servers: Set[tuple[str, int]]) -> str:
        """Puts back what it can; a sentence on what it cannot, or nothing.

        Args:
            servers: addresses to which connections may stay open: the runner's own.
        """
        self._put_back()
        if left := _started_since(self._threads):
            return f"the thread {left[0].name!r} still runs"
        if _has_children():
            return "a process that it started still runs"
        if self._left_open(servers):
            gc.collect()  # a file that nobody holds any more may only wait for this
            if left_open := self._left_open(servers):
                return f"{left_open[0]} is still open"
        settings, loggers = _settings(), _loggers()
        names = self._names if self._names.same() else Names(self._own)
        for what in (
            changed(self._settings, settings),
            changed(self._loggers, loggers),
            self._names.bound_anew(names),
        ):
            if what:
                return f"{what} is not what it was"
        # What was imported meanwhile counts from now on.
        self._settings, self._loggers, self._names = settings, loggers, names
        self._descriptors = _descriptors()
        return ""

    def _put_back(self) -> None:
        os.chdir(self._folder)
        os.umask(self._umask)
        zone = os.environ.get("TZ")
        if dict(os.environ) != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        if zone != self._environment.get("TZ"):
            time.tzset()
        sys.path[:] = self._path
        if list(warnings.filters) != self._warnings:
            warnings.resetwarnings()
            warnings.filters.extend(self._warnings)  # type: ignore[attr-defined]
        _forget_random_numbers()

    def _left_open(self, servers: Set[tuple[str, int]]) -> list[str]:
        new = sorted(_descriptors() - self._descriptors)
        return [
            what
            for number, what in new
            if not (_leads_to(number, what, servers) or _is_installed(number, what))
        ]


def _settings() -> Marks:
    found = {
        "the locale": locale.setlocale(locale.LC_ALL),
        "the decimal context": repr(decimal.getcontext()),
        "the limit of recursion": sys.getrecursionlimit(),
        "the interval between threads": sys.getswitchinterval(),
        "the garbage collector": (gc.isenabled(), gc.get_threshold()),
        "the timeout of sockets": socket.getdefaulttimeout(),
        "a hook of Python": (sys.excepthook, sys.displayhook, sys.gettrace(), sys.getprofile()),
        "a stream of output": (id(sys.stdout), id(sys.stderr), id(sys.stdin)),
        "the way to modules": (*map(id, sys.meta_path), *map(id, sys.path_hooks)),
        "the handler of a signal": tuple(map(signal.getsignal, _SIGNALS)),
    }
    if (numpy := sys.modules.get("numpy")) is not None:
        found["numpy's answer to errors"] = tuple(numpy.geterr().items())
        found["numpy's way to print"] = repr(numpy.get_printoptions())
    if "keras" in sys.modules and "tensorflow" in sys.modules:
        found |= _of_keras()
    return found


def _of_keras() -> Marks:
    import keras
    import tensorflow as tf
    from tensorflow.python.framework import config

    return {
        "the number type of Keras": (keras.config.floatx(), keras.config.epsilon()),
        "the policy of Keras": keras.config.dtype_policy().name,
        "the order of axes in Keras": keras.config.image_data_format(),
        "TensorFlow's determinism": config.is_op_determinism_enabled(),
        "TensorFlow's way to run functions": tf.config.functions_run_eagerly(),
        "TensorFlow's optimizer of graphs": repr(tf.config.optimizer.get_experimental_options()),
    }


def _loggers() -> Marks:
    found: dict[str, Any] = {"the root logger": _about(logging.root), "logging": logging.root.manager.disable}
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger):
            found[f"the logger {name}"] = _about(logger)
    return found


def _about(logger: logging.Logger) -> tuple[object, ...]:
    return logger.level, tuple(map(id, logger.handlers)), logger.disabled, logger.propagate


def draw_anew() -> None:
    """Random numbers of Python and NumPy begin as in a new process."""
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        # From Python's: a tenth of what it costs to gather as much from the system.
        numpy.random.seed(random.getrandbits(32))


def _forget_random_numbers() -> None:
    """Random numbers begin as in a new process: from nothing that the job before had set."""
    draw_anew()
    if "keras" in sys.modules and "tensorflow" in sys.modules:
        import keras
        import tensorflow as tf

        # Names of layers count from 1 again, and Keras's global seed is gone. Models in memory stay.
        keras.utils.clear_session(free_memory=False)
        tf.random.set_seed(None)


def _started_since(before: Set[threading.Thread]) -> list[threading.Thread]:
    """Threads that a job has left; those of an executor that nobody holds any more end when asked."""
    left = [thread for thread in threading.enumerate() if thread not in before]
    if left:
        gc.collect()
        for thread in left:
            thread.join(0.05)
    return [thread for thread in left if thread.is_alive()]


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _descriptors() -> set[tuple[int, str]]:
    """Open files and what they are; none where the system does not tell."""
    found = set()
    try:
        for entry in _DESCRIPTORS.iterdir():
            try:
                found.add((int(entry.name), str(entry.readlink())))
            except OSError:
                continue  # the one that lists them
    except OSError:
        return set()
    return {(number, what) for number, what in found if number >= _STANDARD}


def _leads_to(descriptor: int, what: str, servers: Set[tuple[str, int]]) -> bool:
    if not what.startswith("socket:"):
        return False
    try:
        with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as copy:
            return tuple(copy.getpeername()[:2]) in servers
    except OSError:
        return False  # not connected


def _is_installed(descriptor: int, what: str) -> bool:
    """Whether it is a file of a package, open for reading: a font, of which a library keeps hold."""
    try:
        reads = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    except OSError:
        return False
    return reads and any(what.startswith(f"{folder}/") for folder in sys.path if folder.endswith("-packages"))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
