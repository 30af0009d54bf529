"""Live workers, as real processes: their records, and names that must differ."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from triptych_trial.spec import Steps
from typer.testing import CliRunner

from scheduler.cli import app
from scheduler.settings import RedisSettings, StoreSettings
from tests.cluster import Cluster, cluster
from tests.servers import wait_until
from worker.__main__ import connection


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
