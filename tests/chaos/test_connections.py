"""Servers that are away, or never answer: no job runs twice at once, and none is lost for it."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from triptych_drill.spec import DrillResult, Train

from scheduler import FailureCause, Job, JobState
from scheduler.settings import RedisSettings, StoreSettings
from tests.chaos.proxy import Line, Proxy
from tests.cluster import Cluster, cluster
from tests.processes import is_alive
from tests.servers import wait_until

#: Every time in the system, scaled down; the longest is the scheduler's own, which leads for 3 s.
SHORT = {
    "TRIPTYCH_LEASE_SECONDS": "3",
    "TRIPTYCH_HEARTBEAT_SECONDS": "0.5",
    "TRIPTYCH_SWEEP_SECONDS": "0.2",
    "TRIPTYCH_OUTBOX_SECONDS": "1",
    "TRIPTYCH_STOP_SECONDS": "1",
    "TRIPTYCH_VISIBILITY_SECONDS": "1",
    "TRIPTYCH_WARM_RUNNERS": "0",
    "TRIPTYCH_SLOTS": "2",
}


@pytest.fixture
def running(
    redis_settings: RedisSettings, store_settings: StoreSettings, tmp_path: Path
) -> Iterator[Cluster]:
    with cluster(redis_settings, store_settings, tmp_path, **SHORT) as built:
        yield built


@pytest.fixture
def to_redis(redis_settings: RedisSettings) -> Iterator[Proxy]:
    line = Proxy(urlsplit(redis_settings.redis_url.get_secret_value()).port or 0)
    yield line
    line.close()


@pytest.fixture
def to_store(store_settings: StoreSettings) -> Iterator[Proxy]:
    line = Proxy(urlsplit(store_settings.s3_url).port or 0)
    yield line
    line.close()


def through(line: Proxy, settings: RedisSettings) -> dict[str, str]:
    url = settings.redis_url.get_secret_value()
    return {"TRIPTYCH_REDIS_URL": url.replace(f":{urlsplit(url).port}/", f":{line.port}/")}


def processes(journal: Path) -> list[int]:
    """The processes that did the steps, in their order."""
    pids = [int(line.split()[0]) for line in journal.read_text().splitlines()] if journal.exists() else []
    return list(dict.fromkeys(pids))


def expect_every_step_once(job: Job[DrillResult]) -> None:
    result = job.wait(120)
    assert [line["step"] for line in job.metrics()] == list(range(1, result.steps + 1))


@pytest.mark.parametrize("line", [Line.HELD, Line.CUT])
def test_a_worker_that_redis_does_not_answer_ends_its_runner_before_the_lease_is_over(
    running: Cluster, to_redis: Proxy, tmp_path: Path, line: Line
) -> None:
    # No scheduler: nobody requeues the job, so that its lease can be looked at afterwards. Redis may take
    # 60 s to answer: what the worker waits for must not matter.
    running.worker(**through(to_redis, running.redis), TRIPTYCH_REDIS_TIMEOUT="60")
    client = running.client()
    journal = tmp_path / "journal"
    job = client.submit(Train(steps=1000, step_seconds=0.05, journal=str(journal)))
    wait_until(lambda: len(processes(journal)) == 1 and job.progress is not None)
    to_redis.line = line
    wait_until(lambda: not is_alive(processes(journal)[0]), what="the end of the runner")
    seconds, microseconds = client.records.redis.time()
    expiry = client.records.redis.zscore("triptych:leases", job.id)
    assert expiry is not None
    assert seconds + microseconds / 1e6 < expiry
    assert job.record.attempt == 1
    to_redis.line = Line.OPEN
    running.scheduler()
    wait_until(lambda: job.record.attempt == 2, what="a second attempt")
    job.cancel()
    wait_until(lambda: job.state.final)


def test_a_job_that_runs_five_times_longer_than_every_timeout_runs_once(
    running: Cluster, tmp_path: Path
) -> None:
    running.scheduler()
    running.scheduler()
    for _ in range(2):
        running.worker(TRIPTYCH_REDIS_TIMEOUT="1")
    journal = tmp_path / "journal"
    job = running.client().submit(Train(steps=160, step_seconds=0.1, journal=str(journal)))
    expect_every_step_once(job)
    record = job.record
    assert record.finished is not None
    assert record.started is not None
    assert record.finished - record.started > 5 * 3.0
    assert (record.state, record.attempt, record.failures) == (JobState.SUCCEEDED, 1, 0)
    assert len(processes(journal)) == 1
    assert len(journal.read_text().splitlines()) == 160


def test_a_job_whose_end_falls_into_an_outage_of_redis_is_not_a_failed_one(
    running: Cluster, to_redis: Proxy, tmp_path: Path
) -> None:
    running.worker(
        **through(to_redis, running.redis), TRIPTYCH_REDIS_TIMEOUT="1", TRIPTYCH_LEASE_SECONDS="60"
    )
    journal = tmp_path / "journal"
    job = running.client().submit(Train(steps=20, step_seconds=0.05, journal=str(journal)))
    wait_until(lambda: bool(processes(journal)))
    to_redis.line = Line.CUT
    wait_until(lambda: len(journal.read_text().splitlines()) == 20)
    time.sleep(5)  # longer than a client of Redis tries by itself
    to_redis.line = Line.OPEN
    expect_every_step_once(job)
    assert (job.record.attempt, job.record.failures) == (1, 0)


@pytest.mark.parametrize("line", [Line.CUT, Line.FULL])
def test_a_job_waits_for_a_store_that_is_away_or_full_and_keeps_its_lease_meanwhile(
    running: Cluster, to_store: Proxy, tmp_path: Path, line: Line
) -> None:
    running.scheduler()
    running.worker(TRIPTYCH_REDIS_TIMEOUT="1", TRIPTYCH_S3_URL=f"http://127.0.0.1:{to_store.port}")
    journal = tmp_path / "journal"
    job = running.client().submit(Train(steps=40, step_seconds=0.05, journal=str(journal)))
    wait_until(lambda: bool(processes(journal)))
    to_store.line = line
    wait_until(lambda: len(journal.read_text().splitlines()) == 40)
    time.sleep(8)  # longer than the lease, and than the SDK's own tries
    assert job.state is JobState.RUNNING
    to_store.line = Line.OPEN
    expect_every_step_once(job)
    assert (job.record.attempt, job.record.failures) == (1, 0)


def test_a_job_that_begins_while_the_store_is_away_waits_for_its_checkpoint(
    running: Cluster, to_store: Proxy, tmp_path: Path
) -> None:
    running.scheduler()
    running.worker(TRIPTYCH_REDIS_TIMEOUT="1", TRIPTYCH_S3_URL=f"http://127.0.0.1:{to_store.port}")
    client = running.client()
    journal = tmp_path / "journal"
    job = client.submit(Train(steps=80, step_seconds=0.05, journal=str(journal)))
    wait_until(lambda: any(client.store.under(f"jobs/{job.id}/checkpoints/")))
    to_store.line = Line.CUT
    os.kill(processes(journal)[0], signal.SIGKILL)
    time.sleep(8)
    to_store.line = Line.OPEN
    expect_every_step_once(job)
    assert job.result().resumed_from >= 5
    # One killed runner and no other attempt; the second got further, so the kill no longer counts against it.
    assert (job.record.attempt, job.record.failures) == (2, 0)
    assert [attempt["cause"] for attempt in job.past_attempts()] == [FailureCause.WORKER_LOST]
