"""Real processes, really killed: every job that was accepted is finished, once, with every step done once."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from triptych_trial.spec import Echo, Steps, TrialResult

from scheduler import Client, Job, JobState
from scheduler.settings import RedisSettings, StoreSettings
from tests.cluster import Cluster, cluster
from tests.processes import family, is_alive
from tests.servers import wait_until
from worker.starts import can_fork

STEPS = 60


@pytest.fixture
def running(
    redis_settings: RedisSettings, store_settings: StoreSettings, tmp_path: Path
) -> Iterator[Cluster]:
    # Times scaled down: a lease of 3 s in place of 15.
    with cluster(
        redis_settings, store_settings, tmp_path, TRIPTYCH_WARM_RUNNERS="0", TRIPTYCH_LEASE_SECONDS="3"
    ) as built:
        yield built


def begun(job: Job[TrialResult], step: int = 5) -> bool:
    return job.progress is not None and job.progress.step >= step


def runner_of(worker: "subprocess.Popen[bytes]", job: Job[TrialResult]) -> int:
    """The busy runner: the one that has made its scratch folder."""
    for pid in family(worker.pid)[1:]:
        if Path(f"/proc/{pid}/cwd").resolve().name == "scratch":
            return pid
    raise AssertionError(f"no runner works on {job.id}")


def expect_every_step_once(job: Job[TrialResult]) -> None:
    result = job.wait(120)
    assert result.text.startswith(f"{STEPS * (STEPS + 1) // 2} ")
    assert [line["step"] for line in job.metrics()] == list(range(1, STEPS + 1))


def test_a_killed_runner_is_followed_by_one_that_goes_on_from_its_checkpoint(running: Cluster) -> None:
    running.scheduler()
    worker = running.worker()
    job = running.client().submit(Steps(steps=STEPS))
    wait_until(lambda: begun(job))
    os.kill(runner_of(worker, job), signal.SIGKILL)
    expect_every_step_once(job)
    assert job.result().resumed_from >= 3
    assert job.record.attempt == 2


@pytest.mark.skipif(not can_fork({"CUDA_VISIBLE_DEVICES": "-1"}), reason="runners are no copies here")
def test_what_runners_are_copied_from_is_killed_and_the_job_goes_on_in_a_copy_of_another(
    running: Cluster,
) -> None:
    running.scheduler()
    worker = running.worker()
    job = running.client().submit(Steps(steps=STEPS))
    wait_until(lambda: begun(job))
    runner = runner_of(worker, job)
    (template,) = (
        pid for pid in family(worker.pid) if runner in family(pid) and pid not in (worker.pid, runner)
    )
    os.kill(template, signal.SIGKILL)
    wait_until(lambda: not is_alive(runner), what="the end of the runner")
    expect_every_step_once(job)
    assert job.result().resumed_from >= 3
    assert job.record.attempt == 2


def test_a_killed_worker_takes_its_runner_along_and_another_goes_on(running: Cluster) -> None:
    running.scheduler()
    worker = running.worker()
    client = running.client()
    job = client.submit(Steps(steps=STEPS))
    wait_until(lambda: begun(job))
    runner = runner_of(worker, job)
    worker.kill()
    worker.wait()
    wait_until(lambda: not is_alive(runner), what="the end of the runner")
    running.worker()
    expect_every_step_once(job)
    assert job.result().resumed_from >= 3
    assert client.records.attempts(job.id)[0]["cause"] == "WORKER_LOST"


def test_a_worker_told_to_end_gives_its_job_back_at_a_step_boundary(running: Cluster) -> None:
    running.scheduler()
    worker = running.worker()
    job = running.client().submit(Steps(steps=STEPS, checkpoint_every=1000))
    wait_until(lambda: begun(job))
    worker.terminate()
    assert worker.wait(30) == 0
    assert (job.state, job.record.failures) == (JobState.QUEUED, 0)
    running.worker()
    expect_every_step_once(job)
    # No step was done twice: the checkpoint is the drain's own.
    assert job.result().resumed_from >= 5


def test_a_worker_that_slept_through_its_lease_changes_nothing_when_it_wakes(running: Cluster) -> None:
    running.scheduler()
    sleeper = running.worker()
    job = running.client().submit(Steps(steps=STEPS))
    wait_until(lambda: begun(job))
    processes = family(sleeper.pid)
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    running.worker()
    wait_until(lambda: job.record.attempt == 2)
    for pid in reversed(processes):
        os.kill(pid, signal.SIGCONT)
    expect_every_step_once(job)
    assert job.record.attempt == 2
    assert job.read(f"jobs/{job.id}/result.json").count(b'"attempt": 2') == 1


def test_jobs_submitted_while_no_worker_and_no_scheduler_is_up_are_run_later(running: Cluster) -> None:
    client = running.client()
    jobs = [client.submit(Echo(text=str(number))) for number in range(5)]
    # A crash between record and message: nothing but the outbox knows of this one.
    client.records.redis.delete("cpu\x06\x165")
    running.worker(TRIPTYCH_SLOTS="2")
    running.scheduler(TRIPTYCH_OUTBOX_SECONDS="1")
    assert [job.wait(60).text for job in jobs] == [str(number) for number in range(5)]


def test_of_two_schedulers_the_other_takes_over(running: Cluster) -> None:
    first = running.scheduler()
    running.scheduler()
    worker = running.worker()
    job = running.client().submit(Steps(steps=STEPS))
    wait_until(lambda: begun(job))
    first.kill()
    first.wait()
    worker.kill()
    worker.wait()
    running.worker()
    expect_every_step_once(job)
    assert job.record.attempt == 2


def test_a_running_job_outlives_the_scheduler(running: Cluster) -> None:
    scheduler = running.scheduler()
    running.worker()
    client: Client = running.client()
    job = client.submit(Steps(steps=STEPS))
    wait_until(lambda: begun(job))
    scheduler.kill()
    scheduler.wait()
    expect_every_step_once(job)
    assert job.record.attempt == 1


def test_a_worker_that_was_killed_and_comes_back_goes_on_without_waiting_for_its_lease(
    redis_settings: RedisSettings, store_settings: StoreSettings, tmp_path: Path
) -> None:
    # A lease that outlasts the test, and no scheduler: nobody but the worker itself can give its job back.
    patient = {"TRIPTYCH_LEASE_SECONDS": "600", "TRIPTYCH_WARM_RUNNERS": "0", "TRIPTYCH_WORKER_NAME": "same"}
    with cluster(redis_settings, store_settings, tmp_path, **patient) as running:
        client = running.client()
        worker = running.worker()
        job = client.submit(Steps(steps=STEPS))
        wait_until(lambda: begun(job))
        worker.kill()
        worker.wait()
        running.worker()
        expect_every_step_once(job)
        assert job.result().resumed_from >= 3
        assert job.record.attempt == 2
        assert client.records.attempts(job.id)[0]["message"] == "worker cpu@same was lost, and is back"
