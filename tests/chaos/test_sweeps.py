"""A sweep whose schedulers, workers and Redis are killed finds what an undisturbed one finds."""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from triptych_trial.spec import Climb

from scheduler import Client
from scheduler.errors import Refused, Unreachable
from scheduler.sweeps.spaces import uniform
from scheduler.sweeps.sweep import SweepState
from scheduler.sweeps.sweeps import Sweep
from tests.chaos.stage import Member, Server, Stage

KILLS, SECONDS = 12, 240.0
RUNGS = (1, 3, 9)


def begin(client: Client, journal: Path) -> Sweep:
    return client.sweep(
        Climb(journal=str(journal), epoch_seconds=0.2),
        {"rate": uniform(0.01, 1.0)},
        metric="height",
        direction="max",
        trials=12,
        at_once=4,
        rungs=RUNGS,
        seed=5,
    )


def table(sweep: Sweep) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "job"} for row in sweep.table()]


def lost_attempts(client: Client) -> int:
    return sum(job.record.attempt - 1 for job in client.list(kind="trial.climb", limit=1000))


def epochs_in(journal: Path) -> Counter[tuple[str, str]]:
    """How often each epoch of each trial was done."""
    lines = (line.split() for line in journal.read_text().splitlines())
    return Counter((rate, epoch) for rate, epoch, _ in lines)


def ended(sweep: Sweep) -> bool:
    try:
        return sweep.state is not SweepState.RUNNING
    except (Unreachable, Refused):
        return False


def kill(stage: Stage, victim: Member | Server) -> None:
    pid = victim.process.pid
    if stage.owns(pid):  # it may have ended just now, and is not started again yet
        (os.killpg if isinstance(victim, Server) else os.kill)(pid, signal.SIGKILL)


def until_ended(sweep: Sweep, stage: Stage, kills: int) -> None:
    chance, end, next_kill = random.Random(7), time.monotonic() + SECONDS, time.monotonic() + 1.0
    while not ended(sweep):
        assert time.monotonic() < end, "the sweep does not end"
        stage.tend()
        if kills and time.monotonic() > next_kill:
            kill(stage, chance.choice([*stage.schedulers, *stage.workers, stage.redis]))
            kills, next_kill = kills - 1, time.monotonic() + chance.uniform(0.3, 2.0)
        time.sleep(0.1)
    assert not kills, "it ended before all kills"


@pytest.mark.slow
def test_a_sweep_under_kills_has_the_table_and_the_winner_of_an_undisturbed_one(tmp_path: Path) -> None:
    with Stage(tmp_path, workers=2, schedulers=2, slots=2) as stage:
        calm = begin(stage.client, tmp_path / "calm")
        until_ended(calm, stage, kills=0)
        assert calm.state == "SUCCEEDED", calm.message
        # 12 trials, of which four go on for two more epochs, and one of these for six.
        done = epochs_in(tmp_path / "calm")
        assert len(done) == 12 + 4 * 2 + 1 * 6
        assert done.total() - len(done) <= lost_attempts(
            stage.client
        )  # none, unless the machine is very busy

        disturbed = begin(stage.client, tmp_path / "disturbed")
        until_ended(disturbed, stage, kills=KILLS)
        assert table(disturbed) == table(calm)
        assert disturbed.best().result() == calm.best().result()
        # No epoch but those; again only the ones whose process was killed before their checkpoint was saved.
        again = epochs_in(tmp_path / "disturbed")
        assert again.keys() == done.keys()
        assert again.total() - done.total() <= KILLS * 4
        jobs = stage.client.list(kind="trial.climb", limit=1000)
        assert len(jobs) == 2 * (12 + 4 + 1)
