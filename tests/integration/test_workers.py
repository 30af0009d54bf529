"""Live workers, as real processes: their records, and names that must differ."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from triptych_trial.spec import Echo, Steps
from typer.testing import CliRunner

from scheduler import JobState
from scheduler.cli.commands import app
from scheduler.queue import make_app
from scheduler.settings import RedisSettings, StoreSettings
from tests.cluster import Cluster, cluster
from tests.graphics import fake_cards
from tests.servers import wait_until
from worker.__main__ import connection
from worker.cards import Card


@pytest.fixture
def running(
    redis_settings: RedisSettings,
    store_settings: StoreSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cluster]:
    for name, value in connection(redis_settings, store_settings).items():
        monkeypatch.setenv(name, value)
    with cluster(redis_settings, store_settings, tmp_path, TRIPTYCH_WARM_RUNNERS="0") as built:
        yield built


def listed(*options: str) -> str:
    result = CliRunner().invoke(app, ["workers", *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def invoked(*arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments])
    assert result.exit_code == 0, result.output
    return result.output


def queues_of(worker: str, running: Cluster) -> list[str]:
    """The queues that a worker takes jobs from, as it says itself."""
    answer = make_app(running.redis).control.inspect([worker], timeout=2).active_queues() or {}
    return sorted(queue["name"] for queue in answer.get(worker, []))


def names(running: Cluster) -> list[str]:
    return [worker.name for worker in running.client().workers.living()]


def test_workers_shows_who_is_alive_and_what_it_runs(running: Cluster) -> None:
    assert listed() == ""
    process = running.worker(TRIPTYCH_WORKER_NAME="one", TRIPTYCH_SLOTS="2", TRIPTYCH_THREADS="3")
    job = running.client().submit(Steps(steps=100_000))
    wait_until(lambda: job.progress is not None)
    (worker,) = json.loads(listed("--json"))
    (run,) = worker.pop("runs")
    assert (run["job"], run["kind"]) == (job.id, "trial.steps")
    assert run["progress"].startswith("step ")
    assert worker["memory"] > 1 << 20
    assert str(process.pid) in worker["place"]
    expected = {"name": "cpu@one", "pool": "cpu", "slots": 2, "threads": 3, "busy": 1, "draining": False}
    assert {name: worker[name] for name in expected} == expected
    assert listed().startswith("cpu@one\tcpu\t1/2\t3\t")

    process.terminate()
    process.wait(60)
    assert names(running) == []  # removed, not run out


def test_a_second_worker_of_a_live_ones_name_is_refused(running: Cluster) -> None:
    first = running.worker(TRIPTYCH_WORKER_NAME="same")
    wait_until(lambda: names(running) == ["cpu@same"])
    second = running.worker(TRIPTYCH_WORKER_NAME="same")
    assert second.wait(60) == 1
    assert "triptych worker: a worker named cpu@same is alive already" in running.logs()
    assert "set TRIPTYCH_WORKER_NAME to a name of its own" in running.logs()
    assert first.poll() is None
    assert names(running) == ["cpu@same"]


def test_a_killed_workers_record_runs_out_and_its_name_is_free(running: Cluster) -> None:
    first = running.worker(TRIPTYCH_WORKER_NAME="again")
    wait_until(lambda: names(running) == ["cpu@again"])
    first.kill()
    first.wait()
    second = running.worker(TRIPTYCH_WORKER_NAME="again")

    def taken_over() -> bool:
        return [str(second.pid) in worker.place for worker in running.client().workers.living()] == [True]

    wait_until(taken_over)
    second.kill()
    second.wait()
    wait_until(lambda: names(running) == [])


def test_a_drained_worker_hands_its_job_over_and_stays_idle_until_that_is_undone(running: Cluster) -> None:
    running.scheduler()
    processes = {name: running.worker(TRIPTYCH_WORKER_NAME=name, TRIPTYCH_SLOTS="1") for name in ("a", "b")}
    wait_until(lambda: names(running) == ["cpu@a", "cpu@b"])
    job = running.client().submit(Steps(steps=100_000, step_seconds=0.01))
    wait_until(lambda: job.progress is not None)
    first = job.record.worker
    (other,) = {"cpu@a", "cpu@b"} - {first}
    assert f"triptych drain --undo {first}" in invoked("drain", first)
    wait_until(lambda: job.record.worker == other)
    assert job.record.failures == 0
    assert json.loads(listed("--json"))[0 if first == "cpu@a" else 1]["draining"]

    waiting = running.client().submit(Echo())
    assert not any(process.poll() is not None for process in processes.values())
    assert waiting.state is JobState.QUEUED  # the only other slot is taken
    invoked("drain", "--undo", first)
    waiting.wait(30)
    assert waiting.record.worker == first


def test_draining_a_worker_that_is_not_there_says_which_are(running: Cluster) -> None:
    running.worker(TRIPTYCH_WORKER_NAME="here")
    wait_until(lambda: names(running) == ["cpu@here"])
    result = CliRunner().invoke(app, ["drain", "cpu@nowhere"])
    assert result.exit_code == 1
    assert "no live worker is named 'cpu@nowhere'; alive: cpu@here" in result.output.replace("\n", " ")


@pytest.fixture
def two_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = [Card(number, f"GPU-{number}", "Made Up 9000", 24 << 30, 24 << 30) for number in range(2)]
    fake_cards(tmp_path, monkeypatch, found)


@pytest.mark.usefixtures("two_cards")
def test_each_job_of_a_gpu_worker_sees_one_card(running: Cluster) -> None:
    running.worker(TRIPTYCH_WORKER_NAME="two", TRIPTYCH_POOL="gpu")
    client = running.client()
    jobs = [client.submit(Steps(pool="gpu", steps=60, says="on $CUDA_VISIBLE_DEVICES")) for _ in range(2)]
    wait_until(lambda: all(job.progress for job in jobs))
    (worker,) = client.workers.living()
    assert (worker.about.slots, worker.about.device) == (2, "Made Up 9000, Made Up 9000")
    # Without the first line, which says where it ran.
    seen = {job.wait(60) and "".join(job.logs()).partition("\n")[2] for job in jobs}
    assert seen == {f"begins at step 0\non GPU-{number}\n" for number in range(2)}


@pytest.mark.usefixtures("two_cards")
def test_jobs_for_any_pool_go_to_a_gpu_while_one_is_there_and_else_to_a_cpu(running: Cluster) -> None:
    running.scheduler()
    client = running.client()
    running.worker(TRIPTYCH_WORKER_NAME="one")
    job = client.submit(Echo(pool="any"))
    job.wait(30)
    assert job.record.worker == "cpu@one"

    gpu = running.worker(TRIPTYCH_WORKER_NAME="two", TRIPTYCH_POOL="gpu")
    wait_until(lambda: client.workers.gpu_lives())
    wait_until(lambda: queues_of("cpu@one", running) == ["cpu"])
    ran = [client.submit(Echo(pool="any")) for _ in range(5)]
    assert {job.wait(30) and job.record.worker for job in ran} == {"gpu@two"}
    assert client.submit(Echo()).wait(30)  # the CPU's own jobs are left to it

    gpu.kill()
    gpu.wait()
    job = client.submit(Echo(pool="any"))
    job.wait(30)
    assert job.record.worker == "cpu@one"
