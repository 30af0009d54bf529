"""What a process for a job costs: begun anew, with imports, against a copy of one that has imported.

    python -m bench.starts

The time is until it answers to a job that it must refuse, the processor time all that was spent on it,
and the memory what would be free if it ended.
"""

import os
import statistics
import time

import psutil

from bench.stack import PLUGIN
from jobs import catalog
from worker.runners import Assignment, Runner, Start
from worker.starts import Spawn, Template, can_fork

TIMES = 5
ENVIRONMENT = {
    "PYTHONPATH": str(PLUGIN),
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


def main() -> None:
    heavy = tuple(sorted({module for spec in catalog.kinds().values() for module in spec.imports}))
    for name, imports in (("a plain runner", ()), ("a runner with TensorFlow and all kinds", heavy)):
        report(f"{name}, begun anew", imports, Spawn(imports, ENVIRONMENT))
        if can_fork(ENVIRONMENT):
            template = Template(imports, ENVIRONMENT)
            Runner(imports, template).close()  # once it has imported
            report(f"{name}, copied", imports, template)
            print(f"  the template holds {private(template._process.pid) >> 20} MiB")
            template.close()


def report(name: str, imports: tuple[str, ...], start: Start) -> None:
    pids = [os.getpid(), *([start._process.pid] if isinstance(start, Template) else [])]
    walls, spent, held = [], [], []
    for _ in range(TIMES):
        began, busy = time.monotonic(), sum(map(processor, pids))
        runner = Runner(imports, start)
        runner.assign(Assignment("none", 1, {"kind": "trial.echo"}, {}))
        runner.wait(120)
        walls.append(time.monotonic() - began)
        runner.close()
        spent.append(sum(map(processor, pids)) - busy)
        runner = Runner(imports, start)
        held.append(at_rest(runner.process.pid))
        runner.close()
    wall, busy, memory = (statistics.median(figures) for figures in (walls, spent, held))
    print(f"{name}: {wall * 1000:.0f} ms, processor {busy * 1000:.0f} ms, {int(memory) >> 20} MiB of its own")


def at_rest(pid: int) -> int:
    """What it holds, once it does nothing."""
    before = -1.0
    while (now := processor(pid)) > before:
        before = now
        time.sleep(0.5)
    return private(pid)


def processor(pid: int) -> float:
    """Seconds, with those of children that have ended."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def private(pid: int) -> int:
    return int(psutil.Process(pid).memory_full_info().uss)


if __name__ == "__main__":
    main()
