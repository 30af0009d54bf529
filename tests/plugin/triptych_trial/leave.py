import builtins
import ctypes
import decimal
import json
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np

import triptych_trial.leave as itself
from jobs import names
from jobs.context import JobContext, Progress
from jobs.errors import Stopped
from triptych_trial.spec import Leave, LeaveResult

NOTES: list[str] = []
_held: list[object] = []


def run(spec: Leave, context: JobContext) -> LeaveResult:
    """Tells what it finds of jobs before it, and leaves something."""
    print(f"says {spec.says}")
    context.save_artifact("said.txt", spec.says.encode())
    if spec.asks_for:
        context.in_memory(spec.asks_for, lambda: (bytes(spec.megabytes << 20), spec.megabytes << 20))
    found = look()
    if spec.needs_clean and getattr(json.JSONEncoder, "trial", False):
        raise ValueError("the encoder was changed by somebody")
    leave(spec.leaves, spec.megabytes)
    for step in range(spec.steps):
        context.report(Progress(step + 1, spec.steps))
        time.sleep(0.05)
        if stop := context.should_stop():
            raise Stopped(stop)
    return LeaveResult(process=os.getpid(), found=found)


def look() -> list[str]:
    mask = os.umask(0)
    os.umask(mask)
    finds = {
        "environment": "TRIAL" in os.environ,
        "umask": mask == 0o077,
        "folder": any(Path().iterdir()),
        "others": any(Path("../..").glob("triptych-run-*/scratch/left")),
        "random": random.random() == random.Random(7).random(),
        "numpy": np.random.random_sample() == np.random.RandomState(7).random_sample(),
        "path": "/trial" in sys.path,
        "warnings": any(entry[0] == "error" for entry in warnings.filters),
        "notes": bool(NOTES),
        "decimal": decimal.getcontext().prec == 5,
        "level": logging.getLogger().level == logging.CRITICAL,
        "handler": signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL,
        "thread": any(thread.name == "trial" for thread in threading.enumerate()),
        "name": not hasattr(names, "JobField") or hasattr(builtins, "trial"),
    }
    return [name for name, there in finds.items() if there]


def leave(what: str, megabytes: int) -> None:
    match what:
        case "environment":
            os.environ["TRIAL"] = "a secret of this job"
        case "umask":
            os.umask(0o077)
        case "folder":
            Path("left").write_text("a secret of this job")
            os.chdir("/")
        case "random":
            random.seed(7)
            np.random.seed(7)
        case "path":
            sys.path.insert(0, "/trial")
        case "warnings":
            warnings.simplefilter("error")
        case "notes":
            NOTES.append("a secret of this job")
        case "decimal":
            decimal.getcontext().prec = 5
        case "level":
            logging.getLogger().setLevel(logging.CRITICAL)
        case "handler":
            signal.signal(signal.SIGUSR1, lambda *_: None)
        case "thread":
            threading.Thread(target=time.sleep, args=(1000,), daemon=True, name="trial").start()
        case "child":
            subprocess.Popen(["sleep", "1000"])
        case "file":
            _held.append(Path("/dev/zero").open())  # noqa: SIM115
        case "socket":
            _held.append(socket.socket())
        case "name":
            itself.look = list  # type: ignore[assignment]
        case "hidden":
            json.JSONEncoder.trial = True  # type: ignore[attr-defined]
        case "memory":
            held = bytearray(megabytes << 20)
            held[::4096] = b"x" * len(held[::4096])
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))
        case "fault":
            ctypes.string_at(0)
