"""Redis wiped, the store kept."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from triptych_trial.spec import Echo, Fail, Steps

from scheduler import Client, JobFailed, JobState
from scheduler.artifacts import ArtifactStore
from scheduler.keys import JobKeys, schedule_key
from scheduler.rebuild import look, rebuild
from scheduler.settings import RedisSettings, StoreSettings
from tests.cluster import Cluster, cluster
from tests.servers import s3_server, wait_until


@pytest.fixture
def store_of_its_own(tmp_path: Path) -> Iterator[StoreSettings]:
    with s3_server(tmp_path) as settings:
        yield settings


@pytest.fixture
def running(
    redis_settings: RedisSettings, store_of_its_own: StoreSettings, tmp_path: Path
) -> Iterator[Cluster]:
    with cluster(redis_settings, store_of_its_own, tmp_path, TRIPTYCH_WARM_RUNNERS="0") as built:
        yield built


def test_all_records_come_back_and_what_is_unfinished_goes_on(running: Cluster) -> None:
    client: Client = running.client()
    running.scheduler()
    worker = running.worker(TRIPTYCH_SLOTS="2")
    done = [client.submit(Echo(text=str(number))) for number in range(6)]
    failed = client.submit(Fail())
    for job in done:
        job.wait(60)
    with pytest.raises(JobFailed):
        failed.wait(60)
    cancelled = client.submit(Steps(steps=100_000))
    cancelled.cancel()
    wait_until(lambda: cancelled.state.final)
    begun = [client.submit(Steps(steps=300, seed=seed)) for seed in range(2)]
    waiting = client.submit(Echo(after_model=begun[0].id))
    queued = [client.submit(Steps(steps=20, seed=seed)) for seed in range(10, 19)]
    wait_until(lambda: all(job.progress is not None and job.progress.step > 10 for job in begun))

    before = {job.id: job.record for job in (*done, failed, cancelled)}
    client.records.redis.flushdb()
    entered = rebuild(client.records, client.store).jobs

    assert sum(entered.values()) == 20

    assert entered[JobState.SUCCEEDED] == 6
    assert entered[JobState.FAILED] == 1
    assert entered[JobState.CANCELLED] == 1
    assert entered[JobState.QUEUED] == 11
    assert entered[JobState.WAITING] == 1
    assert sum(rebuild(client.records, client.store).jobs.values()) == 0, "twice is harmless"
    for job in done:
        record = client.get(job.id).record
        assert (record.state, record.attempt) == (JobState.SUCCEEDED, before[job.id].attempt)
    assert client.get(failed.id).record.message == before[failed.id].message
    assert client.get(cancelled.id).state is JobState.CANCELLED
    assert worker.poll() is None

    for job in begun:
        again = client.get(job.id)
        assert again.wait(120).text.startswith("45150 ")
        assert again.result().resumed_from > 5
    assert client.get(waiting.id).wait(60).text == "hello"
    for job in queued:
        assert client.get(job.id).wait(60).text.startswith("210 ")
    listed = [record.id for record in client.records.newest(limit=100)]
    assert listed == [
        job.id for job in (*reversed(queued), waiting, *reversed(begun), cancelled, failed, *reversed(done))
    ]


@pytest.mark.parametrize(
    "trace",
    [
        "metrics/0006.jsonl",
        "metrics/0006/000000000000-000000000012.jsonl",
        "metrics/0006/000000000000-000000000012.of-0002.jsonl",
        "checkpoints/000000000020-0006.best-000000000010-0002.safetensors",
        "logs/6.log",
    ],
)
def test_an_attempt_that_has_left_any_trace_is_counted(store_settings: StoreSettings, trace: str) -> None:
    store = ArtifactStore(store_settings)
    keys = JobKeys(hashlib.sha256(trace.encode()).hexdigest()[:16])
    store.put_json(keys.spec, {"submitted": 1.0})
    store.put(f"{keys.folder}{trace}", b"")
    store.put(keys.artifact("logs/9.log"), b"")  # what people came for, and no trace
    found = look(store, keys.job_id)
    assert found is not None
    assert found.past["attempt"] == "7"


def test_damaged_files_of_some_jobs_and_schedules_keep_no_other_from_coming_back(
    redis_settings: RedisSettings,
    store_of_its_own: StoreSettings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with cluster(redis_settings, store_of_its_own, tmp_path) as built:
        client: Client = built.client()
        jobs = [client.submit(Echo(text=str(number))) for number in range(8)]
        oddly = client.store.get_json(JobKeys(jobs[6].id).spec) | {"start_at": "soon"}
        nightly = client.schedules.add("other", "0 3 * * *", Echo()).definition().to_json()
        damaged: dict[str, bytes] = {
            JobKeys(jobs[0].id).spec: b"half a fi",
            JobKeys(jobs[1].id).spec: b"[]",
            JobKeys(jobs[2].id).result: b"{}",
            JobKeys(jobs[3].id).ending: b'{"state": "LOST", "cause": "", "message": "", "attempt": 1}',
            JobKeys(jobs[4].id).ending: b"\xff",
            JobKeys(jobs[5].id).spec: b'{"submitted": 1.0}',
            JobKeys(jobs[6].id).spec: json.dumps(oddly).encode(),
            schedule_key("nightly"): b"{}",
            schedule_key("weekly"): json.dumps(nightly | {"priority": "urgent"}).encode(),
            schedule_key("yearly"): json.dumps(nightly | {"cron": "at noon"}).encode(),
        }
        for key, content in damaged.items():
            client.store.put(key, content)
        client.records.redis.flushdb()
        entered = rebuild(client.records, client.store).jobs
        assert entered == {JobState.QUEUED: 1}
        assert client.get(jobs[7].id).state is JobState.QUEUED
        for job in jobs[:7]:
            assert f"job {job.id} is left out" in caplog.text
        for name in ("nightly", "weekly", "yearly"):
            assert f"{schedule_key(name)} is left out" in caplog.text
