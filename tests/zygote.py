"""Attempts of `verify_resume`, forked from a process that has imported what they need and used none of it.

TensorFlow takes seconds to import, and does not survive a fork once it was used. Here nothing is: each
attempt is a process of its own that is really killed, and knows nothing of the attempts before it.
"""

import gc
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import IO

from jobs import catalog
from jobs.verification.kills import Assignment

ROOT = Path(__file__).parent.parent
#: What attempts import later than the module of their action, and would each import anew.
_AHEAD = ("matplotlib.backends.backend_agg", "transformers.models.auto.tokenization_auto")


class Zygote:
    """Runs an attempt when called; its process lives from the first call to the end of the context."""

    def __init__(
        self,
        hash_seed: str,
        variables: Mapping[str, str] | None = None,
        runs: str = "jobs.verification.victim",
    ) -> None:
        """Takes Python's seed of hashes, further environment, and the module whose `attempt` is called."""
        self._runs = runs
        self._variables = {**(variables or {}), "PYTHONHASHSEED": hash_seed}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Zygote":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.communicate()  # the end of its input is its end

    def __call__(self, assignment: Assignment, log: Path) -> int:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.zygote", self._runs],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, **self._variables},
            )
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([asdict(assignment), str(log)]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def kept_by_xla(folder: Path) -> dict[str, str]:
    """The environment in which processes keep compiled code in a folder, for those that compile the same."""
    return {"TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={folder}"}


def main() -> None:
    """Forks for each line of the input, and answers with the exit code of the child."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import_module(sys.argv[1])
    catalog.kinds()
    for name in _AHEAD:
        with suppress(ImportError):
            import_module(name)
    for line in sys.stdin:
        fields, log = json.loads(line)
        assignment = Assignment(**fields)
        catalog.action(assignment.spec["kind"])
        _expect_unused()
        gc.freeze()  # a collector that looks through what is imported copies its pages
        child = os.fork()
        if child == 0:
            _name_functions_by_their_order()
            _attempt(assignment, log)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
    os._exit(0)  # TensorFlow's own tidying up takes long


def _expect_unused() -> None:
    if "tensorflow" in sys.modules:
        from tensorflow.python.eager import context

        assert context._context is None, "an import has made TensorFlow compute: no process may be forked now"


def _name_functions_by_their_order() -> None:
    """What XLA has compiled is found by the names of functions, which otherwise count each number made."""
    if "tensorflow" in sys.modules:
        from tensorflow.python.framework import ops

        ops.uid = count(1 << 40).__next__  # beyond all numbers that are counted elsewhere


def _attempt(assignment: Assignment, log: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for number, opened in enumerate((nothing, output, output)):
        os.dup2(opened, number)
    code = 0
    try:
        import_module(sys.argv[1]).attempt(assignment)
    except SystemExit as end:
        print(end, file=sys.stderr)
        code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    _flush(sys.stdout, sys.stderr)
    os._exit(code)


def _flush(*streams: IO[str]) -> None:
    for stream in streams:
        stream.flush()


if __name__ == "__main__":
    main()
