"""What a sweep costs beside Optuna's own loop, and whether it finds the same.

    python -m bench.sweeps [known] [finetune] [asking]

`known`: 40 trials of a known function through the queue, one after the other, beside Optuna's own loop with
the same seed: the best value of both, and the seconds of a trial beside those of a job alone. `finetune`: 40
trials of `transformer.finetune` of the model `tiny` likewise; Optuna's loop trains in this process.
`asking`: milliseconds to ask for the 10th, 100th and 1,000th trial, beside Optuna's own.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from bench.stack import PLUGIN, running_stack

sys.path.insert(0, str(PLUGIN))
from triptych_trial.bowl import run as bowl
from triptych_trial.spec import Bowl

from jobs import FineTune
from jobs.local import run_locally
from scheduler import Client
from scheduler.sweeps.search import Search
from scheduler.sweeps.spaces import log_uniform, uniform
from scheduler.sweeps.sweep import SweepSpec
from scheduler.sweeps.sweeps import sweep_spec

SEED = 11
TRIALS, TUNED = 40, 40
BOWL = {"x": uniform(-10, 10), "y": uniform(-10, 10)}
TUNING = {"learning_rate": log_uniform(1e-5, 1e-2)}
TEXTS = ("good", "bad", "fine", "poor", "great", "awful", "nice", "ugly") * 6
TINY = FineTune(
    pretrained="tiny",
    texts=TEXTS,
    labels=("yes", "no") * 24,
    epochs=2,
    batch_size=8,
    validation=0.25,
    test=0.0,
)


def main() -> None:
    wanted = sys.argv[1:] or ("known", "finetune", "asking")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if "asking" in wanted:
        asking()
    if {"known", "finetune"} & set(wanted):
        with running_stack() as client:
            if "known" in wanted:
                known(client)
            if "finetune" in wanted:
                finetune(client)


def known(client: Client) -> None:
    """A function whose least value is 0."""
    alone = [timed(client.submit(Bowl(x=0, seed=number)).wait) for number in range(10)]
    began = time.monotonic()
    sweep = client.sweep(Bowl(x=0), BOWL, metric="height", direction="min", trials=TRIALS, seed=SEED)
    best = sweep.wait(600).result().height
    each = (time.monotonic() - began) / TRIALS
    own = own_loop(BOWL, TRIALS, lambda values: bowl(Bowl(**values), None).height)
    job = statistics.median(alone)
    print(f"known function, {TRIALS} trials: best {best:.6g}, of Optuna's own loop {own:.6g}")
    print(f"  {1e3 * each:.0f} ms a trial, a job alone {1e3 * job:.0f} ms: {1e3 * (each - job):.0f} ms more")


def finetune(client: Client) -> None:
    """A small model on made-up texts."""
    sweep = client.sweep(
        TINY, TUNING, metric="validation.loss", direction="min", trials=TUNED, seed=SEED, at_once=1
    )
    sweep.wait(1800)
    values = [row["validation.loss"] for row in sweep.table()]

    def train(values: dict[str, Any]) -> float:
        with tempfile.TemporaryDirectory(prefix="triptych-bench-") as folder:
            result = run_locally(TINY.model_copy(update=values), Path(folder) / "job")
        assert result.validation is not None
        return result.validation.loss

    own = own_loop(TUNING, TUNED, train)
    print(f"finetune of tiny, {TUNED} trials: best {min(values):.6g}, of Optuna's own loop {own:.6g}")


def asking() -> None:
    """The sampler alone, as a sweep uses it."""
    fields = {"metric": "height", "direction": "min", "trials": 1_000, "seed": SEED}
    spec = sweep_spec(Bowl(x=0), BOWL, fields)
    ours, own = Asked(spec), Own()
    for name, loop in (("a sweep", ours), ("Optuna's own loop", own)):
        times = [timed(lambda number=number, loop=loop: loop.step(number)) for number in range(1_000)]
        medians = [(n, 1e3 * statistics.median(times[n - 10 : n])) for n in (10, 100, 1_000)]
        print(f"asking and telling, {name}: " + ", ".join(f"trial {n}: {ms:.1f} ms" for n, ms in medians))


class Asked:
    """A sweep's part."""

    def __init__(self, spec: SweepSpec) -> None:
        self._search = Search(spec)

    def step(self, number: int) -> None:
        """One trial."""
        values = self._search.ask()
        self._search.tell(number, (values["x"] - 1) ** 2 + (values["y"] + 2) ** 2)


class Own:
    """The same with nothing of ours."""

    def __init__(self) -> None:
        self._study = study()

    def step(self, number: int) -> None:
        """One trial."""
        del number
        trial = self._study.ask(distributions(BOWL))
        self._study.tell(trial, (trial.params["x"] - 1) ** 2 + (trial.params["y"] + 2) ** 2)


def study() -> optuna.Study:
    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=SEED))


def distributions(space: Any) -> dict[str, optuna.distributions.BaseDistribution]:
    return {
        name: optuna.distributions.FloatDistribution(one.low, one.high, log=one.log)
        for name, one in space.items()
    }


def own_loop(space: Any, trials: int, objective: Callable[[dict[str, Any]], float]) -> float:
    """The best value."""
    own = study()
    for _ in range(trials):
        trial = own.ask(distributions(space))
        own.tell(trial, objective(trial.params))
    return float(own.best_value)


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
