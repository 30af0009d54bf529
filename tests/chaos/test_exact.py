"""A training through the queue, its process killed: the same final state as one that nobody disturbed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import TrainGan
from jobs.gan.spec import GanResult
from scheduler import Job
from scheduler.settings import RedisSettings, StoreSettings
from tests.chaos.test_kills import runner_of
from tests.cluster import cluster
from tests.servers import wait_until

pytest.importorskip("tensorflow")

SPEC = TrainGan(
    architecture="mlp",
    dataset="digits",
    epochs=800,
    batch_size=256,
    latent_dim=5,
    generator_units=(7,),
    discriminator_units=(6,),
    seed=3,
    sample_every=500,
    judge_every=0,
    checkpoint_seconds=0.1,
)
KILLS = 2


def undisturbed(folder: Path) -> str:
    """The digest of the final state of a run in a folder, in a process of its own with as many threads."""
    program = (
        "import json, sys; from pathlib import Path; from jobs import catalog; from jobs.local import *\n"
        "print(run_locally(catalog.parse(json.loads(sys.argv[1])), Path(sys.argv[2])).state_sha256)"
    )
    command = [sys.executable, "-c", program, json.dumps(SPEC.to_wire()), str(folder)]
    threads = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env={**os.environ, **threads}, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def step_of(job: Job[GanResult]) -> int:
    return job.progress.step if job.progress else 0


@pytest.mark.slow
def test_a_gan_whose_process_is_killed_ends_bit_for_bit_like_one_that_was_not(
    redis_settings: RedisSettings, store_settings: StoreSettings, tmp_path: Path
) -> None:
    with cluster(
        redis_settings, store_settings, tmp_path, TRIPTYCH_WARM_RUNNERS="0", TRIPTYCH_THREADS="1"
    ) as running:
        running.scheduler()
        worker = running.worker()
        job = running.client().submit(SPEC)
        for attempt in range(1, KILLS + 1):
            reached = step_of(job)
            wait_until(
                lambda attempt=attempt, reached=reached: (  # type: ignore[misc]
                    job.record.attempt == attempt and step_of(job) > reached and checkpoints(job)
                ),
                what=f"a step of attempt {attempt}",
            )
            os.kill(runner_of(worker, job), signal.SIGKILL)
        result = job.wait(240)
        assert job.record.attempt == KILLS + 1
        assert "goes on from step" in "".join(job.logs())
        steps = [line["step"] for line in job.metrics()]
        assert steps == sorted(set(steps))
        assert (
            steps[-1] == result.steps == SPEC.epochs * 8
        )  # 1,797 digits: seven whole batches and one that is filled up
    assert result.state_sha256 == undisturbed(tmp_path / "undisturbed")


def checkpoints(job: Job[GanResult]) -> int:
    return len(list(job._store.under(f"jobs/{job.id}/checkpoints/")))
