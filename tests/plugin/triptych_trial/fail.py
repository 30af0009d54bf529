import os
import signal
import sys
import time

from jobs.context import JobContext
from jobs.errors import BadInput, Diverged
from triptych_trial.spec import Fail, TrialResult


def run(spec: Fail, context: JobContext) -> TrialResult:
    print("about to fail")
    if spec.how == "input":
        raise BadInput("the trial was given bad input")
    if spec.how == "diverge":
        raise Diverged("the loss is not a number any more")
    if spec.how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if spec.how == "exit":
        sys.exit(3)
    if spec.how == "memory":
        raise MemoryError
    held = []
    while spec.how == "swell":
        held.append(bytes(range(256)) * (1 << 17))  # 32 MiB
        time.sleep(0.02)
    if spec.how == "big-log":
        for _ in range(20_000):
            print("x" * 100)
    raise ValueError("an unexpected fault")
